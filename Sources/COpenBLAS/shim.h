#include <cblas.h>

/* LAPACK's Fortran interface, which OpenBLAS exports without declaring it. */

/* The Cholesky factor of a symmetric positive definite matrix (LAPACK, DPOTRF). */
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);
/* Solves A X = B from A's Cholesky factor (LAPACK, DPOTRS). */
void dpotrs_(const char *uplo, const int *n, const int *nrhs, const double *a, const int *lda,
             double *b, const int *ldb, int *info);
/* The inverse of a matrix from its Cholesky factor (LAPACK, DPOTRI). */
void dpotri_(const char *uplo, const int *n, double *a, const int *lda, int *info);
/* Eigenvalues and eigenvectors of a symmetric matrix by divide and conquer (LAPACK, DSYEVD). */
void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w,
             double *work, const int *lwork, int *iwork, const int *liwork, int *info);
/* The singular values, and vectors if asked for, of a matrix by divide and conquer (LAPACK, SGESDD). */
void sgesdd_(const char *jobz, const int *m, const int *n, float *a, const int *lda, float *s, float *u,
             const int *ldu, float *vt, const int *ldvt, float *work, const int *lwork, int *iwork,
             int *info);
