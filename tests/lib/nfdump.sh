# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Sourced after netns.sh: records as `nfdump -o json` writes them, from what the probe
# printed and from what nfcapd stored; sorted lines, so that they can be compared field
# by field.

# The probe's record as nfdump writes it: of the right column the left one.
# shellcheck disable=SC2016 # jq's variables
NFDUMP_FROM_PROBE='
	def flags: . as $f | [["F", 1], ["S", 2], ["R", 4], ["P", 8], ["A", 16], ["U", 32],
		["E", 64], ["C", 128]] | reverse |
		map(if ($f / .[1] | floor) % 2 == 1 then .[0] else "." end) | add;
	select(.type == "flow") | (.icmpTypeCodeIPv4 // .icmpTypeCodeIPv6 // 0) as $icmp | {
		first: .flowStartMilliseconds[:-1],
		last: .flowEndMilliseconds[:-1],
		in_packets: .packetDeltaCount,
		in_bytes: .octetDeltaCount,
		proto: .protocolIdentifier,
		src_tos: .ipClassOfService,
		input_snmp: .ingressInterface,
		output_snmp: .egressInterface,
	} + if .protocolIdentifier | IN(1, 58) # whatever the version of IP
		then {icmp_type: ($icmp / 256 | floor), icmp_code: ($icmp % 256)}
		else {src_port: .sourceTransportPort, dst_port: .destinationTransportPort,
			tcp_flags: (.tcpControlBits // 0 | flags)} end
	+ if .sourceIPv4Address
		then {src4_addr: .sourceIPv4Address, dst4_addr: .destinationIPv4Address}
		else {src6_addr: .sourceIPv6Address, dst6_addr: .destinationIPv6Address} end'
# What NetFlow v5 has no field for.
# shellcheck disable=SC2034 # the sourcing script's
NFDUMP_BEYOND_V5='{direction: .flowDirection, src_vlan: .vlanId}'
# shellcheck disable=SC2034
NFDUMP_MEMBERS='"first", "last", "in_packets", "in_bytes", "proto", "tcp_flags", "src_tos",
	"input_snmp", "output_snmp", "src_port", "dst_port", "src4_addr", "dst4_addr", "src6_addr",
	"dst6_addr", "icmp_type", "icmp_code"'

# nfdump_records DIR [MEMBER...]: what nfcapd stored, of NFDUMP_MEMBERS and the others.
nfdump_records()
{
	local members=$NFDUMP_MEMBERS member

	for member in "${@:2}"; do
		members+=", \"$member\""
	done
	# interfaces that are both unknown it leaves out
	nfdump_json "$1" | jq -cS ".[] | {input_snmp: 0, output_snmp: 0} +
		with_entries(select(.key | IN($members)))" | sort
}

# nfdump_expected FILE SELECT OTHERS: the same of JSON lines of the probe that SELECT
# holds for; OTHERS is an object of more members.
nfdump_expected()
{
	jq -cS "select(.type == \"flow\") | select($2) | . as \$r | ($NFDUMP_FROM_PROBE) + (\$r | $3)" \
		"$1" | sort
}
