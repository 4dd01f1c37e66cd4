#include <fixbuf/public.h>
