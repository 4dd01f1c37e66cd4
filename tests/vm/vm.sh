# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Sourced after lib/netns.sh: boot a kernel that fetch.sh fetched, in qemu under
# TCG, from an initramfs with chosen programs, and let it run a guest script.

VM_KERNELS=.output/vm
VM_MEMORY_MIB=512

# vm_need KIND: skip unless the kernel and what boots it are there.
vm_need()
{
	need qemu-system-x86_64 busybox cpio gzip
	[ -e "$VM_KERNELS/$1/vmlinuz" ] || skip "no kernel of kind $1: run 'make deps-test'"
}

# vm_add ROOT FILE [PLACE]: copy a file into the guest's root, a program with its
# shared libraries.
vm_add()
{
	local root=$1 file=$2 place=${3:-$2} library

	install -D "$file" "$root$place"
	# A script or an object has none.
	{ ldd "$file" 2>/dev/null || true; } | sed -n 's,^[^/]*\(/[^ ]*\) (0x.*,\1,p' | while read -r library; do
		[ -e "$root$library" ] || install -D "$library" "$root$library"
	done
}

# vm_make_root ROOT SCRIPT PROGRAM...: a root that runs tests/vm/SCRIPT.
vm_make_root()
{
	local root=$1 script=$2 program
	shift 2

	mkdir -p "$root"/{bin,dev,proc,run,sys,tmp,modules}
	vm_add "$root" "$(command -v busybox)" /bin/busybox
	for program in "$@"; do
		vm_add "$root" "$(command -v "$program")" "/usr/bin/${program##*/}"
	done
	install tests/vm/init "$root/init"
	install "tests/vm/$script" "$root/guest.sh"
}

# vm_start VAR ROOT KIND CPUS: boot it; the pid goes to VAR, results to
# $TEST_DIR/VAR.jsonl, the console to $TEST_DIR/VAR.log.
vm_start()
{
	local name=$1 root=$2 kind=$3 cpus=$4 image=$TEST_DIR/$1.cpio

	cp "$VM_KERNELS/$kind"/*.ko "$root/modules/"
	(cd "$root" && find . | cpio -o -H newc --quiet) | gzip -1 >"$image"
	start_bg "$name" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp "$cpus" \
		-m "$VM_MEMORY_MIB" -nic none -display none -no-reboot -serial stdio \
		-serial "file:$TEST_DIR/$name.jsonl" -kernel "$VM_KERNELS/$kind/vmlinuz" \
		-initrd "$image" -append "console=ttyS0 panic=-1 quiet"
}
