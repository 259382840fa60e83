import Glibc

/// The routines of OpenBLAS that are used, by their names without prefixes. Those of BLAS take row-major matrices, those of LAPACK
/// column-major ones.
///
/// The library is loaded when the first of them is called, since loading it takes time, address space, and instructions that not every
/// processor has. It computes on the calling thread, and several threads may call it at once.
struct OpenBLAS: Sendable {
  /// Throws nothing: as with any library that a program is linked to, the process ends where there is none.
  static let loaded = OpenBLAS(library: load())

  /// `C = alpha A Aᵀ + beta C` or `C = alpha Aᵀ A + beta C`, of which one triangle is computed: layout, triangle, transposition, n, k,
  /// alpha, A, lda, beta, C, ldc.
  let dsyrk:
    @convention(c) @Sendable (
      Int32, Int32, Int32, Int32, Int32, Double, UnsafePointer<Double>?, Int32, Double,
      UnsafeMutablePointer<Double>?, Int32
    ) -> Void
  let ssyrk:
    @convention(c) @Sendable (
      Int32, Int32, Int32, Int32, Int32, Float, UnsafePointer<Float>?, Int32, Float,
      UnsafeMutablePointer<Float>?, Int32
    ) -> Void
  /// `C = alpha A B + beta C`, either factor transposed if wanted: layout, two transpositions, m, n, k, alpha, A, lda, B, ldb, beta,
  /// C, ldc.
  let dgemm:
    @convention(c) @Sendable (
      Int32, Int32, Int32, Int32, Int32, Int32, Double, UnsafePointer<Double>?, Int32,
      UnsafePointer<Double>?, Int32, Double, UnsafeMutablePointer<Double>?, Int32
    ) -> Void
  let sgemm:
    @convention(c) @Sendable (
      Int32, Int32, Int32, Int32, Int32, Int32, Float, UnsafePointer<Float>?, Int32,
      UnsafePointer<Float>?, Int32, Float, UnsafeMutablePointer<Float>?, Int32
    ) -> Void
  /// Solves `A X = alpha B` for a triangular A, in the place of B: layout, side, triangle, transposition, diagonal, m, n, alpha, A,
  /// lda, B, ldb.
  let dtrsm:
    @convention(c) @Sendable (
      Int32, Int32, Int32, Int32, Int32, Int32, Int32, Double, UnsafePointer<Double>?, Int32,
      UnsafeMutablePointer<Double>?, Int32
    ) -> Void
  /// The Cholesky factor of a symmetric positive definite matrix (DPOTRF): triangle, n, A, lda, info.
  let dpotrf:
    @convention(c) @Sendable (
      UnsafePointer<CChar>, UnsafePointer<Int32>, UnsafeMutablePointer<Double>,
      UnsafePointer<Int32>, UnsafeMutablePointer<Int32>
    ) -> Void
  /// Solves A X = B from A's Cholesky factor (DPOTRS): triangle, n, number of sides, A, lda, B, ldb, info.
  let dpotrs:
    @convention(c) @Sendable (
      UnsafePointer<CChar>, UnsafePointer<Int32>, UnsafePointer<Int32>, UnsafePointer<Double>,
      UnsafePointer<Int32>, UnsafeMutablePointer<Double>, UnsafePointer<Int32>,
      UnsafeMutablePointer<Int32>
    ) -> Void
  /// The inverse of a matrix from its Cholesky factor (DPOTRI): triangle, n, A, lda, info.
  let dpotri:
    @convention(c) @Sendable (
      UnsafePointer<CChar>, UnsafePointer<Int32>, UnsafeMutablePointer<Double>,
      UnsafePointer<Int32>, UnsafeMutablePointer<Int32>
    ) -> Void
  /// Eigenvalues and eigenvectors of a symmetric matrix by divide and conquer (DSYEVD): job, triangle, n, A, lda, values, work and its
  /// size, integer work and its size, info.
  let dsyevd:
    @convention(c) @Sendable (
      UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafePointer<Int32>,
      UnsafeMutablePointer<Double>, UnsafePointer<Int32>, UnsafeMutablePointer<Double>,
      UnsafeMutablePointer<Double>, UnsafePointer<Int32>, UnsafeMutablePointer<Int32>,
      UnsafePointer<Int32>, UnsafeMutablePointer<Int32>
    ) -> Void
  /// The singular values, and vectors if asked for, of a matrix by divide and conquer (SGESDD): job, m, n, A, lda, values, U, ldu, VT,
  /// ldvt, work and its size, integer work, info.
  let sgesdd:
    @convention(c) @Sendable (
      UnsafePointer<CChar>, UnsafePointer<Int32>, UnsafePointer<Int32>,
      UnsafeMutablePointer<Float>, UnsafePointer<Int32>, UnsafeMutablePointer<Float>,
      UnsafeMutablePointer<Float>, UnsafePointer<Int32>, UnsafeMutablePointer<Float>,
      UnsafePointer<Int32>, UnsafeMutablePointer<Float>, UnsafePointer<Int32>,
      UnsafeMutablePointer<Int32>, UnsafeMutablePointer<Int32>
    ) -> Void

  private init(library: UnsafeMutableRawPointer) {
    func routine<F>(_ name: String) -> F {
      guard let address = dlsym(library, name) else { Self.fail("it has no '\(name)'") }
      return unsafeBitCast(address, to: F.self)
    }
    (dsyrk, ssyrk) = (routine("cblas_dsyrk"), routine("cblas_ssyrk"))
    (dgemm, sgemm) = (routine("cblas_dgemm"), routine("cblas_sgemm"))
    dtrsm = routine("cblas_dtrsm")
    (dpotrf, dpotrs, dpotri) = (routine("dpotrf_"), routine("dpotrs_"), routine("dpotri_"))
    (dsyevd, sgesdd) = (routine("dsyevd_"), routine("sgesdd_"))
  }

  /// The variable by which OpenBLAS is told, when it is loaded, how many threads to start.
  private static let threadCount = "OPENBLAS_NUM_THREADS"

  private static func load() -> UnsafeMutableRawPointer {
    let former = getenv(threadCount).map { String(cString: $0) }
    setenv(threadCount, "1", 1)
    // Commands that this process starts decide for themselves.
    defer { if let former { setenv(threadCount, former, 1) } else { unsetenv(threadCount) } }
    checkAddressSpace()
    guard let library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL) else {
      fail(dlerror().map { String(cString: $0) } ?? "it is not there")
    }
    return library
  }

  /// Size of the library, and more.
  private static let librarySize = 64 << 20
  /// Buffer that OpenBLAS allocates for every thread which computes at the same time, in bytes.
  private static let bufferSize = 128 << 20

  /// Ends the process where the address space is limited to less than OpenBLAS needs, which would try to allocate its buffers for ever.
  private static func checkAddressSpace() {
    let size = librarySize + sysconf(Int32(_SC_NPROCESSORS_ONLN)) * (bufferSize + (1 << 20))
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    guard let space = mmap(nil, size, PROT_NONE, flags, -1, 0), space != MAP_FAILED else {
      fail("it needs \(size >> 20) MiB of address space, more than the limit leaves", code: 4)
    }
    munmap(space, size)
  }

  /// Ends the process, as the system's loader does where a library is missing.
  private static func fail(_ reason: String, code: Int32 = 127) -> Never {
    let message = "error: OpenBLAS cannot be used: \(reason)\n"
    _ = message.withCString { write(2, $0, strlen($0)) }
    exit(code)
  }
}

/// Codes of BLAS for the ways in which matrices are stored and read.
extension Int32 {
  static var rowMajor: Int32 { 101 }
  static var asItIs: Int32 { 111 }
  static var transposed: Int32 { 112 }
  static var upper: Int32 { 121 }
  static var nonUnit: Int32 { 131 }
  static var left: Int32 { 141 }
}
