# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
#
# In the guest: $PINGS pings of either family over a veth pair into another
# network namespace, while the probe meters the near end, requests at XDP
# ingress and replies at tc egress. Results: the probe's JSON lines.
set -e

# By path, as the shell would take its own ip and ping first.
ip()
{
	/usr/bin/ip "$@"
}

# What starts with an interface coming up would be traffic too.
quiet="net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.addr_gen_mode=1
	net.ipv6.conf.default.router_solicitations=0"

# set_up_end DEVICE SIDE PEER [IP-OPTION...]
set_up_end()
{
	device=$1 side=$2 peer=$3
	shift 3
	ip "$@" addr add "10.77.0.$side/24" dev "$device"
	ip "$@" addr add "fd77::$side/64" dev "$device" nodad
	ip "$@" link set "$device" up
	ip "$@" neigh replace "10.77.0.$peer" lladdr "02:77:00:00:00:0$peer" dev "$device"
	ip "$@" neigh replace "fd77::$peer" lladdr "02:77:00:00:00:0$peer" dev "$device"
}

mkdir /run/netns
ip netns add client
# shellcheck disable=SC2086 # several settings
{
	sysctl -q -w $quiet
	ip netns exec client sysctl -q -w $quiet
}
ip link add veth1 address 02:77:00:00:00:02 type veth \
	peer name veth0 address 02:77:00:00:00:01 netns client
set_up_end veth1 2 1
set_up_end veth0 1 2 -n client

/xflow-probe -i veth1:egress --max-flows 65536 -v &
probe=$!
until [ -S /run/xflow-probe/control.sock ] && /xflowctl status >&2; do
	kill -0 $probe
	sleep 0.2
done
for address in 10.77.0.2 fd77::2; do
	ip netns exec client /usr/bin/ping -q -c "$PINGS" -i 0.005 -W 5 $address >&2
done
kill $probe
wait $probe
