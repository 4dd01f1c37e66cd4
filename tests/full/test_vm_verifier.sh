#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The BPF programs of every clang we support pass the verifiers of other kernels,
# with flat tables and with tables that are looked up in, tunnels closed and opened.
# timeout: 900
# root: no
. "$(dirname "$0")/../lib/netns.sh"
. tests/vm/vm.sh
need jq

KINDS="6.1-cloud 6.12-cloud"
for kind in $KINDS; do
	vm_need "$kind"
done
make --no-print-directory bpf-matrix
vm_make_root "$TEST_DIR/root" guest_verify.sh ip .output/tests/vm/load_objects
objects=(.output/matrix/*.o)
for object in "${objects[@]}"; do
	vm_add "$TEST_DIR/root" "$object" "/objects/${object##*/}"
done
for kind in $KINDS; do
	vm_start "GUEST_${kind//[^0-9]/_}" "$TEST_DIR/root" "$kind" 1
done
for kind in $KINDS; do
	name=GUEST_${kind//[^0-9]/_}
	wait_bg "$name" || fail "$kind: qemu failed"
	cat "$TEST_DIR/$name.jsonl"
	jq -s -e --argjson n_objects ${#objects[@]} \
		'map(select(.type == "program")) | length == 28 * $n_objects and all(.exit == 0)' \
		"$TEST_DIR/$name.jsonl" >/dev/null ||
		fail "$kind: a program did not load"
done
