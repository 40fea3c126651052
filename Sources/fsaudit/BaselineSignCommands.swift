import ArgumentParser
import Baseline
import EventLog
import Glibc
import System
import SystemPackage

/// The option that names whose signature counts.
struct PublicKeyOption: ParsableArguments {
  @Option(
    help: ArgumentHelp("The public key, as `openssl pkey -pubout` writes it. Keep another copy away from the host.", valueName: "file"))
  var publicKey = "/etc/fsaudit/baseline.pub"

  func load() throws(Failure) -> PublicKey { try PublicKey(file: publicKey) }
}

/// The option of what compares with the baseline.
struct SignedOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Refuse a baseline that is not what was signed with this key; see `fsaudit baseline verify`.", valueName: "file"))
  var publicKey: String?

  func load() throws(Failure) -> PublicKey? {
    guard let publicKey else { return nil }
    return try PublicKey(file: publicKey)
  }
}

/// `fsaudit baseline sign`.
struct BaselineSign: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sign",
    abstract: "Sign a generation, so that an edited baseline is found.",
    usage: "fsaudit baseline sign (--key <file> | --statement | --signature <file>) [<options>]",
    discussion: """
      A generation's header and all that it has of its files are signed with an Ed25519 key; the signature is kept in the database. An update \
      makes a new generation, which has none until it is signed as well. The key pair is OpenSSL's; make it elsewhere, and let the host have the \
      public key alone:

        openssl genpkey -algorithm ed25519 -aes256 -out baseline.key
        openssl pkey -in baseline.key -pubout -out baseline.pub

      The private key stays off the host if the host only prints what is to be signed, and takes the signature:

        ssh root@web fsaudit baseline sign --statement > 1.txt
        openssl pkeyutl -sign -rawin -inkey baseline.key -in 1.txt -out 1.sig
        ssh root@web fsaudit baseline sign --signature - < 1.sig

      Or it comes over for the moment of signing; whoever is root on the host just then can copy it:

        openssl pkey -in baseline.key | ssh root@web fsaudit baseline sign --key -
        fsaudit baseline sign --key /mnt/baseline.key --output /mnt/1.sig

      Sign what you have just made and looked at: a signature says that nothing changed afterwards, not that all was well before. A generation that \
      an earlier signature does not fit any more is not signed again (status 23), unless --replace says so.

      Exit status: 0 signed, 2 usage or a file that holds no such key, 3 not permitted or not the right passphrase, 5 input or output failed, \
      21 another run has the database, 23 the generation is not what was signed before, or --signature does not fit it, 24 the database is damaged.
      """)

  @OptionGroup(title: "Baseline") var place: BaselinePlace

  @Option(help: ArgumentHelp("The private key, - for stdin. One with a passphrase asks for it on the terminal.", valueName: "file"))
  var key: String?

  @Flag(help: "Print what is to be signed elsewhere.")
  var statement = false

  @Option(help: ArgumentHelp("A signature that was made elsewhere (64 bytes; - for stdin), to be kept in the database.", valueName: "file"))
  var signature: String?

  @OptionGroup var publicKey: PublicKeyOption

  @Option(help: "A generation's number (default: the newest).")
  var generation: Int64?

  @Option(help: ArgumentHelp("Also write the signature to a new file, to be kept elsewhere.", valueName: "file"))
  var output: String?

  @Flag(help: "Sign it although it is not what was signed before.")
  var replace = false

  func validate() throws {
    if [key != nil, statement, signature != nil].count(where: { $0 }) != 1 {
      throw ValidationError("give one of --key, --statement and --signature")
    }
    if output != nil, key == nil { throw ValidationError("--output goes with --key") }
    if replace, statement { throw ValidationError("--replace goes with --key or --signature") }
  }

  private var choice: GenerationChoice { generation.map { .number($0) } ?? .latest }

  func run() throws {
    if statement { return try printStatement() }
    let signed = try BaselineRun.sign(place.database, choice, with: try signer(), replaces: replace)
    if let output { try writeNewFile(output, signed.signature) }
    try place.write("signed", signed.generation, signed.key)
  }

  private func printStatement() throws {
    let store = try Store(place.database, writing: false)
    let statement = try store.statement(of: try store.generation(choice))
    var output = Output()
    try output.lines(statement.span.bytes)
    try output.flush()
  }

  private func signer() throws -> BaselineRun.Signer {
    if let signature { return .made(try signatureFile(signature), try publicKey.load()) }
    let path = key ?? ""
    if let status = try? status(of: path), status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o077 != 0 {
      complain("fsaudit: warning: \(printable(path)): others may read the private key: chmod 600")
    }
    return .key(try SigningKey(file: path))
  }
}

/// `fsaudit baseline verify`.
struct BaselineVerify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Find out whether the baseline is what was signed.",
    usage: "fsaudit baseline verify [--public-key <file>] [--signature <file>] [<options>]",
    discussion: """
      Compares a generation, its header and every row, with the signature that the database has of that key, or with one that was kept elsewhere. \
      Who is root can put back an older baseline with its signature: look at the time in the answer, or keep signatures elsewhere. And who is root \
      can replace the public key, and this program: a verdict that counts against root is that of another host, on a copy of the database.

        fsaudit baseline verify
        fsaudit baseline verify --generation 3
        fsaudit baseline verify --database copy.db --signature 1.sig

      `fsaudit check` and `fsaudit baseline update` with --public-key verify what they are about to compare with.

      Exit status: 0 it is what was signed, 2 usage or a file that holds no such key, 3 not permitted, 5 input or output failed, 22 it is not signed with \
      this key, 23 it is not what was signed, 24 the database is damaged, or has tables of somebody else's making.
      """)

  @OptionGroup(title: "Baseline") var place: BaselinePlace

  @OptionGroup var publicKey: PublicKeyOption

  @Option(help: ArgumentHelp("A signature that was kept elsewhere (64 bytes; - for stdin), instead of the database's.", valueName: "file"))
  var signature: String?

  @Option(help: "A generation's number (default: the newest).")
  var generation: Int64?

  func run() throws {
    let key = try publicKey.load()
    var kept: [UInt8]?
    if let signature { kept = try signatureFile(signature) }
    let store = try Store(place.database, writing: false)
    let wanted = try store.generation(generation.map { .number($0) } ?? .latest)
    try store.verify(wanted, key, signature: kept)
    try place.write("verified", wanted, key)
  }
}

private func signatureFile(_ path: String) throws(Failure) -> [UInt8] {
  do { return try input(path, limitBytes: 4096) } catch { throw error.failure() }
}

extension BaselinePlace {
  fileprivate func write(_ done: String, _ generation: Generation, _ key: PublicKey) throws {
    var output = Output()
    switch format {
    case .text:
      let made = "generation \(generation.id) of \(printable(generation.host)), made \(generation.created), \(generation.files) objects"
      try output.line("\(made): \(done) with key \(key.id)")
    case .json:
      var json = JSONWriter()
      json.raw("{\"generation\":")
      json.generation(generation)
      json.member("key", key.id)
      json.raw("}")
      try json.withBytes { bytes throws(SystemError) in try output.line(bytes) }
    }
    try output.flush()
  }
}
