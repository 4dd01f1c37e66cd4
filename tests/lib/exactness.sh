# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Sourced after netns.sh and flows.sh: a generator of live frames on one CPU, the
# probe and its Collector on the other, and the books of both ends of the wire.
GENERATOR=.output/tests/bench/livegen
FLOWS=1000000

# exactness_setup EXPORTER [COMMAND]: two namespaces and the probe with this entry
# of `exporters`; COMMAND starts the Collector before it.
exactness_setup()
{
	[ "$(nproc)" -ge 2 ] || skip "needs two CPUs"
	netns_pair generator observer
	ns_mute generator veth0
	ns_mute observer veth0
	cat >"$TEST_DIR/probe.yaml" <<-END
		interfaces: [{name: veth0, ingress: xdp}]
		flow_cache: {max_flows: 1048576, max_flows_ipv6: 524288, active_timeout_s: 1, idle_timeout_s: 1}
		exporters: [$1]
		control: {socket: $PROBE_SOCKET}
	END
	# Everything but the generator and what its packets cause stays on CPU 1.
	taskset -pc 1 $$ >/dev/null
	eval "${2:-}"
	start_probe observer -c "$TEST_DIR/probe.yaml" -v
}

# exactness_send ARG...: send, half of it UDP, three tenths IPv6. The receiving
# half of the work happens on the sending CPU too. Not to the observer's own
# address: packets end behind its hook.
exactness_send()
{
	taskset -c 0 nsenter --net="/run/netns/$(ns_name generator)" $GENERATOR -i veth0 \
		-d 02:00:00:00:00:99 -f $FLOWS -u 50 -6 30 "$@" >"$TEST_DIR/sent" ||
		fail "the generator failed"
}

exactness_sent()
{
	jq ".$1" "$TEST_DIR/sent"
}

# Packets that the ring between the ends of the pair did not take or lost.
exactness_ring_drops()
{
	{
		ns_exec generator ethtool -S veth0 | grep 'tx_queue_.*xdp_xmit_errors'
		ns_exec observer ethtool -S veth0 | grep -E 'rx_queue_.*_(drops|xdp_drops)'
	} | awk '{n += $2} END {print n + 0}'
}

# What was sent and not dropped was seen, to the packet and octet, while the
# probe goes on.
exactness_assert_seen()
{
	local ledger drops packets octets

	ledger=$(live_ledger)
	drops=$(exactness_ring_drops)
	packets=$(exactness_sent packets)
	octets=$(exactness_sent frame_octets)
	echo "sent $packets packets at $(exactness_sent pps) a second, $drops dropped by the ring"
	assert_eq "packets seen" $((packets - drops)) "$(jq .seen_packets <<<"$ledger")"
	assert_eq "octets seen" $((octets - drops * (octets / packets))) \
		"$(jq .seen_octets <<<"$ledger")"
	assert_ledger .balanced "$ledger"
}

exactness_stop_probe()
{
	stop_bg PROBE || fail "the probe ended with status $?"
}

# seen = accounted + reasons, accounted = exported; no Flow found the cache full.
exactness_assert_accounted()
{
	assert_balanced
	assert_ledger '.seen_packets == .accounted_packets + ([.reasons[]] | add)'
	assert_ledger '.seen_octets == .accounted_octets + ([.reason_octets[]] | add)'
	assert_ledger '.overflow_packets == 0 and .stranded == 0'
	assert_ledger '.exported_packets == .accounted_packets'
	assert_ledger '.exported_octets == .accounted_ip_octets'
	assert_ledger '[.exporters[] | .sent_records] == [.exported_flows]'
	assert_ledger '.not_sent_records == 0 and .queued_records == 0'
}

# exactness_udp_drops NS: datagrams that found a socket's buffer full.
exactness_udp_drops()
{
	ns_exec "$1" cat /proc/net/snmp |
		awk '/^Udp:/ {if (!n) {for (i = 1; i <= NF; i++) at[$i] = i; n = 1} else print $at["RcvbufErrors"]}'
}
