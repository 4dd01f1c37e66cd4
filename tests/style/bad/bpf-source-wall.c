#include "bpf/cache.bpf.h"
