#include "probe/log.h"
