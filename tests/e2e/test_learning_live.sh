#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What a probe has learned is saved while it runs, when a reload ends the learning, and at
# its end, and the next one goes on from it; a file that is damaged is told of in one sentence and replaced; that it is
# learning, and how far it is, is in `xflowctl status`.
# timeout: 60
. "$(dirname "$0")/../lib/netns.sh"
. tests/lib/flows.sh
need jq

MODEL=$TEST_DIR/learned

# learning CONDITION: holds for what the status says of it.
learning()
{
	./xflowctl --json status | jq -e ".anomaly.learning | $1" >/dev/null
}
start()
{
	start_probe server -c "$TEST_DIR/probe.yaml" -o none
}

netns_pair client server
printf '%s\n' 'interfaces: [{name: veth0, egress: tc}]' "anomaly: {enabled: true, local_networks: [10.0.0.0/8]," \
	"  learning: {path: $MODEL, save_s: 1}}" 'flow_cache: {max_flows: 1024, max_flows_ipv6: 1024}' >"$TEST_DIR/probe.yaml"
start
grep -q "there is no model $MODEL yet: learning" "$TEST_DIR/PROBE.log" || fail "no word of a first run"
learning '.state == "learning" and .trained_pct == 0' || fail "$(./xflowctl --json status)"
./xflowctl status | grep -q learning || fail "the table does not say learning"
ns_exec client ping -c 3 -i 0.1 "$(ns_addr4 server)" >"$TEST_DIR/ping.log"
wait_for "learning '.hosts == 2 and .saves >= 2 and .failed_saves == 0'" 6
[ "$(head -c 8 "$MODEL")" = xflowMDL ] || fail "$MODEL is no model"
[ ! -e "$MODEL.tmp" ] || fail "the making of $MODEL is left"
stop_bg PROBE || fail "the probe ended with status $?"

printf 'X' | dd of="$MODEL" bs=1 seek=100 conv=notrunc status=none
cp "$MODEL" "$TEST_DIR/damaged"
start
assert_eq "sentences about the model" 1 "$(grep -c "$MODEL" "$TEST_DIR/PROBE.log")"
grep -q "go on from the learned model $MODEL: it is damaged: its checksum is wrong; learning starts anew" \
	"$TEST_DIR/PROBE.log" || fail "$(cat "$TEST_DIR/PROBE.log")"
learning '.state == "learning" and .hosts == 0' || fail "$(./xflowctl --json status)"
stop_bg PROBE || fail "the probe ended with status $?"
! cmp -s "$MODEL" "$TEST_DIR/damaged" || fail "the damaged file was not replaced"

# Where nothing can be written the probe goes on, and says so once.
start
grep -q "going on from the learned model $MODEL" "$TEST_DIR/PROBE.log" || fail "not gone on from $MODEL"
sed -i "s|path: [^,]*|path: /proc/nothing/learned|" "$TEST_DIR/probe.yaml"
./xflowctl reload >"$TEST_DIR/reload.log" || fail "not reloaded"
wait_for "learning '.failed_saves >= 2'" 5
assert_eq "sentences about the save" 1 "$(grep -c 'save what is learned to /proc/nothing/learned: ' "$TEST_DIR/PROBE.log")"
stop_bg PROBE || fail "the probe ended with status $?"

# A reload that ends the learning keeps what was learned till then, and one that begins it
# again goes on from there.
printf '%s\n' 'interfaces: [{name: veth0, egress: tc}]' "anomaly: {enabled: true, local_networks: [10.0.0.0/8]," \
	"  learning: {path: $MODEL, save_s: 86400, enabled: true}}" 'flow_cache: {max_flows: 1024, max_flows_ipv6: 1024}' >"$TEST_DIR/probe.yaml"
rm "$MODEL"
start
ns_exec client ping -c 3 -i 0.1 "$(ns_addr4 server)" >"$TEST_DIR/ping.log"
wait_for "learning '.hosts == 2'" 6
sed -i 's/enabled: true}}/enabled: false}}/' "$TEST_DIR/probe.yaml"
./xflowctl reload >"$TEST_DIR/reload.log" || fail "not reloaded"
learning '.state == "off"' || fail "$(./xflowctl --json status)"
wait_for "[ -e $MODEL ]" 5
sed -i 's/enabled: false}}/enabled: true}}/' "$TEST_DIR/probe.yaml"
./xflowctl reload >"$TEST_DIR/reload.log" || fail "not reloaded"
grep -q "going on from the learned model $MODEL" "$TEST_DIR/PROBE.log" || fail "$(cat "$TEST_DIR/PROBE.log")"
stop_bg PROBE || fail "the probe ended with status $?"
