#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Fetch the kernels that the tests boot in qemu, the distribution's newest of each
# kind, to .output/vm/KIND/: vmlinuz and the modules the guests need. Nothing is
# installed. Does nothing, offline, when they are there. A kernel that cannot be
# had is not an error: the tests that want it are skipped and say so.
set -euo pipefail
cd "$(dirname "$0")/../.."

KERNELS=.output/vm
KINDS="6.1-cloud 6.12-cloud 6.1-rt"
MODULES="veth sch_ingress cls_bpf"

# Prints the newest kernel package of a kind: VERSION-FLAVOUR.
newest_package()
{
	apt-cache search --names-only "^linux-image-${1%-*}[.][^ ]*-${1#*-}-amd64$" |
		cut -d ' ' -f 1 | sort -V | tail -n 1
}

# Modules are stored plain: the guest's insmod need not know compression.
unpack()
{
	local package=$1 dir=$2 module path

	dpkg-deb --fsys-tarfile "$package" | tar -x -C "$dir" --wildcards './boot/vmlinuz-*' \
		"${module_patterns[@]}"
	mv "$dir"/boot/vmlinuz-* "$dir/vmlinuz"
	for module in $MODULES; do
		path=$(find "$dir/lib" -name "$module.ko*")
		case $path in
		*.xz) xz -dc "$path" >"$dir/$module.ko" ;;
		*.zst) zstd -qdc "$path" >"$dir/$module.ko" ;;
		*) mv "$path" "$dir/$module.ko" ;;
		esac
	done
	rm -r "${dir:?}"/{boot,lib}
}

fetch()
{
	local kind=$1 package

	package=$(newest_package "$kind")
	if [ -z "$package" ]; then
		echo "vm: no kernel of kind $kind in the package archives: its tests are skipped"
		return
	fi
	echo "vm: fetching $package"
	# Without a sandbox: its user cannot write into our folder.
	if (cd "$work" && apt-get -q -o APT::Sandbox::User=root download "$package" >apt.log 2>&1); then
		mkdir "$work/$kind"
		unpack "$work/$package"_*.deb "$work/$kind"
		mv "$work/$kind" "$KERNELS/$kind"
	else
		tail -n 1 "$work/apt.log"
		echo "vm: cannot fetch $package: its tests are skipped until 'make deps-test' can"
	fi
}

missing=
for kind in $KINDS; do
	[ -e "$KERNELS/$kind" ] || missing+=" $kind"
done
[ -n "$missing" ] || exit 0

mkdir -p $KERNELS
work=$(mktemp -d $KERNELS/fetch.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
module_patterns=()
for module in $MODULES; do
	module_patterns+=("*/$module.ko*")
done
for kind in $missing; do
	fetch "$kind"
done
