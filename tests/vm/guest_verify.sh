# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
#
# In the guest: load every program of every object in /objects. Results: one
# line for each object.
for object in /objects/*.o; do
	status=0
	bpftool prog loadall "$object" /sys/fs/bpf/loaded >&2 || status=$?
	loaded=$(ls -x -w 1000 /sys/fs/bpf/loaded)
	echo "{\"type\":\"object\",\"name\":\"${object##*/}\",\"exit\":$status,\"programs\":\"$loaded\"}"
	rm -rf /sys/fs/bpf/loaded
done
