/// The kernels for x86 processors with AVX2 and FMA (x86-64-v3).

#include "kernels.h"
#include "variants.h"

#if defined __x86_64__

#include <immintrin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,bmi2")
#endif

#define PRUNEC_TABLE prunec_kernels_avx2
#define PRUNEC_NAME "avx2"
#define PRUNEC_WIDTH 8
#define PRUNEC_AVX2
#include "template/table.h"

#if defined __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif
