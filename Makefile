# xflow-probe: one Makefile for everything. `make help` lists the targets.
#
# Products go to .output/, sanitized ones to .output/san/, fuzzers to .output/fuzz/;
# the binaries are linked at the root. V=1 shows the commands, WERROR=1 makes warnings errors,
# SAN=1 links the sanitized binaries at the root.

VERSION  := 0.1.0
PREFIX   ?= /usr
DESTDIR  ?=
CC       ?= cc
CLANG    ?= clang
# Ubuntu's /usr/sbin/bpftool is a wrapper that only serves the running kernel's
# own package, so what it wraps is preferred; Debian has the program itself.
BPFTOOL  ?= $(firstword $(wildcard /usr/lib/linux-tools/*/bpftool /usr/sbin/bpftool) bpftool)
V        ?= 0
Q        := $(if $(filter 1,$(V)),,@)
say       = $(if $(filter 1,$(V)),,@printf '  %-8s %s\n' $(1) $(2);)

OUT      := .output
SAN_OUT  := $(OUT)/san
FUZZ_OUT := $(OUT)/fuzz
SANITIZE := address,undefined
PKGS     := libbpf libfixbuf yaml-0.1 libpcap libcap-ng jansson libsystemd nettle
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LIBS     := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lelf -lz -lpthread -lm

WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wcast-qual -Wvla -Wwrite-strings
CFLAGS   ?= -O2 -g
ALL_CFLAGS = -std=gnu11 $(CFLAGS) $(WARN) $(if $(WERROR),-Werror) -D_GNU_SOURCE \
             -DXFP_VERSION='"$(VERSION)"' -I. -I$(OUT) $(PKG_CFLAGS) $(SAN_CFLAGS)
ALL_LDFLAGS = $(LDFLAGS) $(SAN_LDFLAGS)

$(SAN_OUT)/%: SAN_CFLAGS := -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
$(SAN_OUT)/%: SAN_LDFLAGS := -fsanitize=$(SANITIZE)

# libFuzzer is clang's.
$(FUZZ_OUT)/%: CC := $(CLANG)
$(FUZZ_OUT)/%: SAN_CFLAGS := -O1 -fsanitize=fuzzer-no-link,$(SANITIZE) -fno-omit-frame-pointer \
                             -fno-sanitize-recover=all
$(FUZZ_OUT)/%: SAN_LDFLAGS := -fsanitize=fuzzer,$(SANITIZE)

MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
# Blocks stay in source order: the verifiers before Linux 6.3 refuse a loop whose
# back edge is a fall-through ("back-edge from insn ..."), which placement makes.
BPF_CFLAGS := -O2 -g -mcpu=v3 -mllvm -disable-block-placement -target bpf -Wall -Wextra -Wno-unused-function \
              $(if $(MULTIARCH),-I/usr/include/$(MULTIARCH)) -I. $(if $(WERROR),-Werror)

PROBE_SRC     := $(filter-out probe/xflowctl.c,$(wildcard probe/*.c))
PROBE_OBJ     := $(PROBE_SRC:%.c=%.o)
COLLECTOR_OBJ := $(patsubst %.c,%.o,$(wildcard collector-test/*.c))
BPF_SRC       := $(wildcard bpf/*.bpf.c tests/*/*.bpf.c)
TEST_LIB_OBJ  := $(patsubst %.c,%.o,$(filter-out $(BPF_SRC),$(wildcard tests/lib/*.c)))
SKELETONS     := $(BPF_SRC:%.bpf.c=$(OUT)/%.skel.h)

# Unit tests are always sanitized; programs that load BPF never are.
UNIT_TESTS    := $(patsubst %.c,$(SAN_OUT)/%,$(wildcard tests/unit/test_*.c))
PROGRAM_SRC   := $(filter-out $(BPF_SRC),$(wildcard tests/bpf/test_*.c tests/full/test_*.c \
                   tests/bench/*.c tests/e2e/*.c tests/demo/*.c tests/vm/*.c tests/fuzz/make_seeds.c))
PROGRAMS      := $(PROGRAM_SRC:%.c=$(OUT)/%)
FUZZERS       := $(patsubst %.c,$(FUZZ_OUT)/%,$(wildcard tests/fuzz/fuzz_*.c))

BINARIES := xflow-probe xflowctl xflow-collector-test

.PHONY: all
all: $(BINARIES) ## build everything (default)

.DELETE_ON_ERROR:
.SECONDARY:

$(BINARIES): %: $(if $(SAN),$(SAN_OUT),$(OUT))/%
	$(Q)ln -sf $< $@

# --- one tree of products: $(1) is .output, .output/san or .output/fuzz ---

define tree
$(1)/%.o: %.c Makefile | $(OUT)/tools
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)$$(CC) $$(ALL_CFLAGS) -MMD -MP -MF $$(@:.o=.d) -MT $$@ -c $$< -o $$@

# Archives, so that a test links what it uses and nothing else.
$(1)/probe.a: $$(addprefix $(1)/,$$(filter-out probe/main.o,$$(PROBE_OBJ)))
$(1)/collector-test.a: $$(addprefix $(1)/,$$(filter-out collector-test/main.o,$$(COLLECTOR_OBJ)))
$(1)/tests.a: $$(addprefix $(1)/,$$(TEST_LIB_OBJ))
$(1)/probe.a $(1)/collector-test.a $(1)/tests.a:
	$$(Q)rm -f $$@
	$$(call say,AR,$$@)$$(AR) rcs $$@ $$^

$(1)/xflow-probe: $(1)/probe/main.o $(1)/probe.a
$(1)/xflowctl: $(1)/probe/xflowctl.o $(1)/probe.a
$(1)/xflow-collector-test: $(1)/collector-test/main.o $(1)/collector-test.a
$(addprefix $(1)/,$(BINARIES)):
	$$(call say,LINK,$$@)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(LIBS)

$(1)/probe/obs_point.o $(1)/probe/obs_attach.o $(1)/probe/obs_xdp.o $(1)/tests/lib/meter_fixture.o: $(OUT)/bpf/flow.skel.h
$(1)/tests/lib/livegen.o: $(OUT)/tests/lib/livegen.skel.h
endef
$(eval $(call tree,$(OUT)))
$(eval $(call tree,$(SAN_OUT)))
$(eval $(call tree,$(FUZZ_OUT)))

$(OUT)/%.bpf.o: %.bpf.c Makefile | $(OUT)/tools
	@mkdir -p $(@D)
	$(call say,BPF,$@)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< -o $@

# What bpftool writes is not ours for clang-tidy to judge.
$(OUT)/%.skel.h: $(OUT)/%.bpf.o
	$(call say,SKEL,$@)(echo '/* NOLINTBEGIN */'; \
	  $(BPFTOOL) gen skeleton $< name $(notdir $*)_bpf && echo '/* NOLINTEND */') > $@

# --- tests ---

$(SAN_OUT)/tests/unit/test_collector_%: $(SAN_OUT)/tests/unit/test_collector_%.o \
		$(SAN_OUT)/tests.a $(SAN_OUT)/collector-test.a
	$(call say,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

$(SAN_OUT)/tests/unit/%: $(SAN_OUT)/tests/unit/%.o $(SAN_OUT)/tests.a $(SAN_OUT)/probe.a
	$(call say,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

$(FUZZ_OUT)/tests/fuzz/fuzz_message: $(FUZZ_OUT)/collector-test.a
$(filter-out %/fuzz_message,$(FUZZERS)): $(FUZZ_OUT)/probe.a
$(FUZZ_OUT)/tests/fuzz/fuzz_meter: $(addprefix $(FUZZ_OUT)/tests/lib/,meter_check.o meter_details.o)
$(FUZZERS): %: %.o
	$(call say,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka $(LIBS)

$(PROGRAMS:=.o): | $(SKELETONS)
$(PROGRAMS): %: %.o $(OUT)/tests.a $(OUT)/probe.a
	$(call say,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

# The oldest, a middle and the newest compiler the BPF source must suit.
BPF_CLANGS := clang clang-16 clang-19
.PHONY: bpf-matrix
bpf-matrix: $(BPF_CLANGS:%=$(OUT)/matrix/%.bpf.o) ## compile bpf/flow.bpf.c with every clang

$(OUT)/matrix/%.bpf.o: bpf/flow.bpf.c Makefile
	@mkdir -p $(@D)
	$(call say,BPF,$@)$* $(BPF_CFLAGS) -Werror -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< -o $@

.PHONY: tests
tests: all $(UNIT_TESTS) $(PROGRAMS) $(FUZZERS) $(addprefix $(SAN_OUT)/,$(BINARIES)) ## build the tests, run none

# Flags are read from pkg-config when make starts, so what follows the package
# installation is a second make.
AGAIN = $(MAKE) --no-print-directory

.PHONY: deps deps-test
deps: ## install what building and running needs (Debian, Ubuntu; root)
	@tests/lib/deps.sh build
deps-test: ## install what tests, demo and bench need besides, fetch kernels (root)
	@tests/lib/deps.sh build demo test
	@tests/vm/fetch.sh

.PHONY: check check-full
check: deps-test ## set up, build, run the tests; root runs them all
	@$(AGAIN) tests
	@tests/run.sh $(T)
check-full: deps-test ## the same with the long tests
	@$(AGAIN) tests
	@tests/run.sh --full $(T)

.PHONY: demo
demo: ## two private namespaces, real traffic, nfdump's view of it (root)
	@tests/lib/deps.sh build demo
	@$(AGAIN) all
	@tests/demo/demo.sh

.PHONY: bench
bench: deps-test ## print the performance figures; asserts nothing (root)
	@$(AGAIN) tests
	@tests/bench/run.sh

# make evaluate SETS="tuning day"
.PHONY: evaluate
evaluate: deps-test ## measure what the detectors find; see tests/evaluation/results.md (root)
	@$(AGAIN) all
	@tests/evaluation/evaluate.py $(SETS)

# make fuzz T=meter SECONDS=600
.PHONY: fuzz
fuzz: deps-test ## look for inputs that break target T (see tests/fuzz/) for SECONDS
	@$(AGAIN) all $(OUT)/tests/fuzz/make_seeds $(FUZZ_OUT)/tests/fuzz/fuzz_$(T)
	@tests/fuzz/fuzz.sh run $(T) $(or $(SECONDS),60)

.PHONY: lint
lint: deps-test ## formatter, static analysis, style rules, manual pages, spelling
	@tests/style/lint.sh

# Fails with one sentence while a build tool or library is missing.
$(OUT)/tools:
	@mkdir -p $(@D)
	@for t in $(CC) $(CLANG) $(BPFTOOL) pkg-config; do command -v $$t >/dev/null || \
	  { echo "$$t is missing: run 'sudo make deps'" >&2; exit 1; }; done
	@pkg-config --exists --print-errors $(PKGS) 2>/dev/null || \
	  { echo "one of these libraries is missing: $(PKGS): run 'sudo make deps'" >&2; exit 1; }
	@touch $@

# What Collectors have to be told of our elements; a style test compares.
DEFINITIONS := $(addprefix conf/,pmacct-primitives.lst nfacctd.conf goflow2-mapping.yaml \
                 logstash-xflow.yml nprobe-fields.txt silk-sensor.conf)
.PHONY: definitions
definitions: ## write the definitions for Collectors in conf/ from the tables of elements
	@conf/make_definitions.py

# --- installation ---

INSTALL_PROGRAM = install -Dm755
INSTALL_DATA    = install -Dm644
inst            = $(DESTDIR)$(PREFIX)

.PHONY: install
install: all ## install below $(DESTDIR)$(PREFIX); /etc/xflow.yaml is kept if present
	$(Q)for b in $(BINARIES); do $(INSTALL_PROGRAM) $$b $(inst)/bin/$$b; done
	$(Q)for m in man/*.[1-8]; do \
	  $(INSTALL_DATA) $$m $(inst)/share/man/man$${m##*.}/$${m##*/}; done
	$(Q)for x in conf/*.xml $(DEFINITIONS); do \
	  $(INSTALL_DATA) $$x $(inst)/share/xflow-probe/$${x##*/}; done
	$(Q)mkdir -p $(inst)/lib/systemd/system
	$(Q)sed 's|/usr/bin|$(PREFIX)/bin|g' conf/xflow-probe.service \
	  > $(inst)/lib/systemd/system/xflow-probe.service
	$(Q)$(INSTALL_DATA) conf/xflow-probe.sysusers $(inst)/lib/sysusers.d/xflow-probe.conf
	$(Q)test -e $(DESTDIR)/etc/xflow.yaml || $(INSTALL_DATA) conf/xflow.yaml $(DESTDIR)/etc/xflow.yaml

.PHONY: clean
clean: ## remove everything built
	$(Q)rm -rf $(OUT) $(BINARIES)

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

-include $(wildcard $(addprefix $(OUT)/,*/*.d */*/*.d */*/*/*.d))
