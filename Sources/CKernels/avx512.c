/// The kernels for x86 processors with AVX-512 (x86-64-v4).

#include "kernels.h"
#include "variants.h"

#if defined __x86_64__

#include <immintrin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined __clang__
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi,bmi2")
#endif

#define PRUNEC_TABLE prunec_kernels_avx512
#define PRUNEC_NAME "avx512"
#define PRUNEC_WIDTH 16
#define PRUNEC_AVX512
#include "template/table.h"

#if defined __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif
