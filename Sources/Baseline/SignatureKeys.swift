import CCrypto
import EventLog
import Glibc
import System

/// An Ed25519 key that says whose a baseline is: anybody may have it. Its files are those that `openssl pkey -pubout` writes (PEM).
package struct PublicKey: Sendable, Equatable {
  /// 32 of them (RFC 8032).
  let bytes: [UInt8]

  init(bytes: [UInt8]) { self.bytes = bytes }

  package init(file path: String) throws(Failure) {
    let key = try KeyHandle(file: path) { input in PEM_read_bio_PUBKEY(input, nil, { _, _, _, _ in -1 }, nil) }
    guard let key else {
      throw Failure(
        "\(printable(path)): no public key in PEM", advice: "`openssl pkey -in PRIVATE -pubout -out FILE` makes one of the private key",
        exit: .usage)
    }
    try key.requireEd25519(path)
    bytes = try key.publicBytes(path)
  }

  /// 16 hexadecimal digits to know it by: `openssl pkey -pubin -in FILE -outform DER | sha256sum` begins with them.
  package var id: String {
    // the key's SubjectPublicKeyInfo (RFC 8410), of which only the end differs from key to key
    let encoded: [UInt8] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00] + bytes
    return String(SHA256.hash(of: encoded.span.bytes).hex.prefix(16))
  }

  /// Whether the private key made this signature of these bytes. False as well for what is no key and no signature.
  func verifies(_ signature: [UInt8], of text: [UInt8]) -> Bool {
    guard let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count), let context = EVP_MD_CTX_new() else {
      return false
    }
    defer {
      EVP_MD_CTX_free(context)
      EVP_PKEY_free(key)
      ERR_clear_error()
    }
    return EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
      && EVP_DigestVerify(context, signature, signature.count, text, text.count) == 1
  }
}

/// The key that signs: what `openssl genpkey -algorithm ed25519` writes (PEM), with or without a passphrase.
package final class SigningKey {
  private let handle: KeyHandle
  package let publicKey: PublicKey

  /// Reads it; asks for its passphrase on the terminal where it has one.
  package init(file path: String) throws(Failure) {
    var question = Question.none
    let key = try KeyHandle(file: path) { input in
      withUnsafeMutablePointer(to: &question) { PEM_read_bio_PrivateKey(input, nil, askForPassphrase, $0) }
    }
    guard let key else {
      throw
        switch question
      {
      case .none:
        Failure(
          "\(printable(path)): no private key in PEM", advice: "`openssl genpkey -algorithm ed25519 -out FILE` makes one", exit: .usage)
      case .unanswered:
        Failure(
          "\(printable(path)) has a passphrase, and there is no terminal to ask for it",
          advice: "run it on a terminal, or pipe what `openssl pkey -in FILE` writes into --key -", exit: .usage)
      case .answered: Failure("\(printable(path)): not the right passphrase", exit: .notPermitted)
      }
    }
    try key.requireEd25519(path)
    publicKey = PublicKey(bytes: try key.publicBytes(path))
    handle = key
  }

  /// 64 bytes (RFC 8032).
  func sign(_ text: [UInt8]) throws(Failure) -> [UInt8] {
    var signature = [UInt8](repeating: 0, count: PublicKey.signatureBytes)
    var count = signature.count
    guard let context = EVP_MD_CTX_new() else { throw KeyHandle.failure("Ed25519") }
    defer { EVP_MD_CTX_free(context) }
    guard EVP_DigestSignInit(context, nil, nil, nil, handle.key) == 1,
      EVP_DigestSign(context, &signature, &count, text, text.count) == 1, count == signature.count
    else { throw KeyHandle.failure("Ed25519") }
    return signature
  }
}

extension PublicKey {
  static let signatureBytes = 64
}

/// What became of the question for a passphrase.
private enum Question { case none, unanswered, answered }

/// Called by libcrypto where a key is encrypted. Only a terminal is asked: libcrypto by itself would take stdin where there is none.
private func askForPassphrase(
  _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int32, _ isForWriting: Int32, _ question: UnsafeMutableRawPointer?
) -> Int32 {
  let question = question?.assumingMemoryBound(to: Question.self)
  question?.pointee = .unanswered
  guard let buffer, (try? Descriptor.open("/dev/tty", O_RDWR)) != nil,
    EVP_read_pw_string(buffer, size, "Passphrase of the key: ", 0) == 0
  else { return -1 }
  question?.pointee = .answered
  return Int32(clamping: strlen(buffer))
}

/// libcrypto's own form of a key.
private final class KeyHandle {
  let key: OpaquePointer

  /// Nil where `read` finds no key in the file.
  init?(file path: String, _ read: (OpaquePointer) -> OpaquePointer?) throws(Failure) {
    var bytes: [UInt8]
    do { bytes = try input(path, limitBytes: 65536) } catch { throw error.failure() }
    // nothing of a private key is to stay in memory that is used again
    defer { bytes.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
    let found = bytes.withUnsafeBytes { bytes -> OpaquePointer? in
      guard let input = BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count)) else { return nil }
      defer {
        BIO_free(input)
        ERR_clear_error()
      }
      return read(input)
    }
    guard let found else { return nil }
    key = found
  }

  deinit { EVP_PKEY_free(key) }

  func requireEd25519(_ path: String) throws(Failure) {
    if EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 { return }
    let kind = EVP_PKEY_get0_type_name(key).map { String(cString: $0) } ?? "unknown"
    throw Failure(
      "\(printable(path)): a key of the kind \(printable(kind)), not Ed25519",
      advice: "`openssl genpkey -algorithm ed25519 -out FILE` makes one",
      exit: .usage)
  }

  func publicBytes(_ path: String) throws(Failure) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 32)
    var count = bytes.count
    guard EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1, count == bytes.count else { throw Self.failure(path) }
    return bytes
  }

  static func failure(_ subject: String) -> Failure {
    ERR_clear_error()
    return Failure(
      "\(printable(subject)): libcrypto refuses", advice: "`openssl version` and its configuration say what it has", exit: .inputOutput)
  }
}
