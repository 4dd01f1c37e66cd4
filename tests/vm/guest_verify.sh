# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
#
# In the guest: load every program of every object in /objects. Results: those
# of load_objects.
load_objects /objects/*.o
