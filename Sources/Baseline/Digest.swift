import CCrypto
import Glibc
import System

/// A hash that a rule can ask for.
struct Digest {
  let attribute: Attributes
  /// The column in the store, and the word in reports.
  let name: String
  /// libcrypto's name.
  let algorithm: String

  /// All, in the order of the store's columns.
  static let all = [
    Digest(attribute: .sha256, name: "sha256", algorithm: "SHA256"), Digest(attribute: .sha512, name: "sha512", algorithm: "SHA512"),
    Digest(attribute: .sha512_256, name: "sha512_256", algorithm: "SHA512-256"),
    Digest(attribute: .sha3_256, name: "sha3_256", algorithm: "SHA3-256"),
    Digest(attribute: .sha3_512, name: "sha3_512", algorithm: "SHA3-512"), Digest(attribute: .sha1, name: "sha1", algorithm: "SHA1"),
    Digest(attribute: .md5, name: "md5", algorithm: "MD5"), Digest(attribute: .rmd160, name: "rmd160", algorithm: "RIPEMD160"),
  ]
}

/// Computes several digests of one stream. One thread at a time; reused from file to file.
final class Digester {
  /// One digest; nil method where this libcrypto has none of that name.
  private struct Lane {
    let context: OpaquePointer
    let method: OpaquePointer
  }

  /// In the order of ``Digest/all``.
  private let lanes: [Lane?]
  private var attributes: Attributes = []
  private var wanted: [Int] = []
  private var failed = false

  init() {
    lanes = Digest.all.map { digest in
      // fetched once: looking a method up costs more than hashing a small file
      guard let method = EVP_MD_fetch(nil, digest.algorithm, nil), let context = EVP_MD_CTX_new() else { return nil }
      return Lane(context: context, method: method)
    }
  }

  deinit {
    for case let lane? in lanes {
      EVP_MD_CTX_free(lane.context)
      EVP_MD_free(lane.method)
    }
  }

  /// The hashes that this libcrypto lacks, of those asked for (a FIPS one has no md5).
  static func missing(of attributes: Attributes) -> [String] {
    Digest.all.filter { digest in
      guard attributes.contains(digest.attribute) else { return false }
      guard let method = EVP_MD_fetch(nil, digest.algorithm, nil) else { return true }
      EVP_MD_free(method)
      return false
    }.map(\.name)
  }

  /// Starts anew.
  func begin(_ attributes: Attributes) {
    failed = false
    if attributes != self.attributes {
      self.attributes = attributes
      wanted = Digest.all.indices.filter { attributes.contains(Digest.all[$0].attribute) }
    }
    for index in wanted {
      guard let lane = lanes[index], EVP_DigestInit_ex2(lane.context, lane.method, nil) == 1 else {
        failed = true
        continue
      }
    }
  }

  func add(_ bytes: UnsafeRawBufferPointer) {
    for index in wanted {
      guard let lane = lanes[index] else { continue }
      if EVP_DigestUpdate(lane.context, bytes.baseAddress, bytes.count) != 1 { failed = true }
    }
  }

  /// The digests of all that was added, in the order of ``Digest/all``. Nil where libcrypto failed.
  func finish() -> [[UInt8]?]? { values { $0.context } }

  /// The same of what was added so far; more can be added afterwards.
  func valuesSoFar() -> [[UInt8]?]? {
    guard let copy = EVP_MD_CTX_new() else { return nil }
    defer { EVP_MD_CTX_free(copy) }
    return values { EVP_MD_CTX_copy_ex(copy, $0.context) == 1 ? copy : nil }
  }

  private func values(_ context: (Lane) -> OpaquePointer?) -> [[UInt8]?]? {
    if failed { return nil }
    var result = Facts.noDigests
    for index in wanted {
      guard let context = lanes[index].flatMap(context) else { return nil }
      let value = [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { buffer, count in
        var length: UInt32 = 0
        if EVP_DigestFinal_ex(context, buffer.baseAddress, &length) == 1 { count = Int(length) }
      }
      if value.isEmpty { return nil }
      result[index] = value
    }
    return result
  }
}
