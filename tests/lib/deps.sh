#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# deps.sh GROUP...: install the Debian/Ubuntu packages of the groups `build`,
# `demo` and `test`. Does nothing, offline and at once, when all are there. "a|b" is
# whichever of the two the distribution has.
set -euo pipefail

declare -A packages=(
	[build]="clang llvm bpftool|linux-tools-generic libbpf-dev libelf-dev zlib1g-dev
		libfixbuf-dev libyaml-dev libpcap-dev libjansson-dev libcap-ng-dev libsystemd-dev
		nettle-dev linux-libc-dev libc6-dev pkgconf gcc make"
	[demo]="nfdump iperf3 nmap dnsmasq-base bind9-dnsutils curl iputils-ping
		iproute2 ethtool util-linux procps jq python3"
	[test]="libcmocka-dev libclang-rt-dev clang-16 clang-19 pmacct softflowd
		libfixbuf-tools tshark tcpreplay hping3 qemu-system-x86 busybox-static cpio
		clang-format clang-tidy cppcheck shellcheck codespell mandoc valgrind"
)
# Of these, the ones that bring services.
with_services="nfdump pmacct softflowd iperf3"
policy=/usr/sbin/policy-rc.d

declare -A installed=()

read_installed()
{
	local name status

	while read -r name status; do
		[ "$status" = installed ] && installed[$name]=1
	done < <(dpkg-query -W -f '${Package} ${db:Status-Status}\n')
	return 0
}

# Prints those of the groups' entries of which no alternative is installed.
list_missing()
{
	local group entry name

	for group in "$@"; do
		for entry in ${packages[$group]:?"unknown group $group"}; do
			for name in ${entry//|/ }; do
				[ -n "${installed[$name]:-}" ] && continue 2
			done
			echo "$entry"
		done
	done
}

# Prints the first alternative that can be installed from the known archives.
choose_available()
{
	local name

	for name in ${1//|/ }; do
		if apt-cache show "$name" >/dev/null 2>&1; then
			echo "$name"
			return
		fi
	done
	echo "${1%%|*}"
}

# The tests need only the programs of packages that bring services, but with all
# their libraries, which unpacking (dpkg -x) would not give. So they are installed,
# while a policy-rc.d keeps their services from starting now and disabling them
# keeps them from starting at the next boot. A policy-rc.d that is there already
# is the administrator's (or the container's) and stays.
forbid_service_starts()
{
	[ -e $policy ] && return
	trap 'rm -f $policy' EXIT
	trap 'exit 1' INT TERM
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
}

disable_services_of()
{
	local path

	dpkg -L "$1" | while read -r path; do
		case $path in
		*@.service) ;;
		*/systemd/system/*.service) systemctl disable "${path##*/}" || true ;;
		/etc/init.d/*) update-rc.d "${path##*/}" disable || true ;;
		esac
	done >/dev/null 2>&1
}

install_packages()
{
	local entry names=()

	export DEBIAN_FRONTEND=noninteractive
	apt-get -q update
	for entry in "$@"; do
		names+=("$(choose_available "$entry")")
	done
	forbid_service_starts
	apt-get -q -y --no-install-recommends install "${names[@]}" </dev/null
	for entry in "${names[@]}"; do
		[[ " $with_services " == *" $entry "* ]] && disable_services_of "$entry"
	done
	return 0
}

main()
{
	local missing

	if ! command -v dpkg-query >/dev/null; then
		echo "deps: no dpkg here: install what 'tests/lib/deps.sh' lists by hand" >&2
		exit 1
	fi
	read_installed
	mapfile -t missing < <(list_missing "$@")
	[ ${#missing[@]} -eq 0 ] && exit 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "deps: not installed: ${missing[*]}: run 'sudo make deps-test' (or 'deps' to build only)" >&2
		exit 1
	fi
	install_packages "${missing[@]}"
	read_installed
	mapfile -t missing < <(list_missing "$@")
	[ ${#missing[@]} -eq 0 ] && exit 0
	echo "deps: still not installed: ${missing[*]}" >&2
	exit 1
}

main "$@"
