# xflow-probe: one Makefile for everything. `make help` lists the targets.
#
# Products go to .output/; the binaries are linked at the root. V=1 shows the
# commands, SAN=address,undefined builds a sanitized tree beside the normal one.

VERSION  := 0.1.0
PREFIX   ?= /usr
DESTDIR  ?=
CC       ?= cc
CLANG    ?= clang
BPFTOOL  ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
V        ?= 0
Q        := $(if $(filter 1,$(V)),,@)
say       = $(if $(filter 1,$(V)),,@printf '  %-8s %s\n' $(1) $(2);)

OUT      := .output$(if $(SAN),/san)
PKGS     := libbpf libfixbuf yaml-0.1 libpcap libcap-ng
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lelf -lz -lpthread

WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wcast-qual -Wvla -Wwrite-strings
CFLAGS   ?= -O2 -g
ALL_CFLAGS = -std=gnu11 $(CFLAGS) $(WARN) $(if $(WERROR),-Werror) -D_GNU_SOURCE \
             -DXFP_VERSION='"$(VERSION)"' -I. -I$(OUT) $(PKG_CFLAGS) \
             $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
ALL_LDFLAGS = $(LDFLAGS) $(if $(SAN),-fsanitize=$(SAN))

MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
BPF_CFLAGS := -O2 -g -mcpu=v3 -target bpf -Wall -Wextra -Wno-unused-function \
              $(if $(MULTIARCH),-I/usr/include/$(MULTIARCH)) -I. $(if $(WERROR),-Werror)

PROBE_SRC  := $(filter-out probe/xflowctl.c,$(wildcard probe/*.c))
PROBE_OBJ  := $(PROBE_SRC:%.c=$(OUT)/%.o)
CTL_OBJ    := $(OUT)/probe/xflowctl.o
COLLECTOR_OBJ := $(patsubst %.c,$(OUT)/%.o,$(wildcard collector-test/*.c))

BINARIES := xflow-probe xflowctl xflow-collector-test

.PHONY: all
all: $(BINARIES) ## build everything (default)

.DELETE_ON_ERROR:
.SECONDARY:

$(BINARIES): %: $(OUT)/%
	$(Q)ln -sf $< $@

$(OUT)/xflow-probe: $(PROBE_OBJ)
	$(call say,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(OUT)/xflowctl: $(CTL_OBJ)
	$(call say,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ -ljansson

$(OUT)/xflow-collector-test: $(COLLECTOR_OBJ)
	$(call say,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -ljansson

$(OUT)/%.bpf.o: %.bpf.c Makefile
	@mkdir -p $(@D)
	$(call say,BPF,$@)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< -o $@

$(OUT)/%.skel.h: $(OUT)/%.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name $(notdir $*)_bpf > $@

$(OUT)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< -o $@

$(OUT)/probe/obs_point.o: $(OUT)/bpf/flow.skel.h

-include $(shell find .output -name '*.d' 2>/dev/null)

.PHONY: clean
clean: ## remove everything built
	$(Q)rm -rf .output $(BINARIES)

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
