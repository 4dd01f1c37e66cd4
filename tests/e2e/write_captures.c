/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * write_captures FOLDER: the project's own captures, for test_captures.sh.
 */
#include "tests/lib/capture_set.h"

int main(int argc, char **argv)
{
	return argc == 2 && !capture_set_write(argv[1]) ? 0 : 1;
}
