#include "kernels.h"
#include "thread_pool.h"
