import System
import TestSupport
import Testing

/// `fsaudit baseline sign` and `verify` with openssl(1) beside them.
@Suite struct SignTests {
  private let directory: TemporaryDirectory
  private let place: [String]
  private var database: String { directory["b.db"] }
  private var key: String { directory["baseline.key"] }
  private var publicKey: [String] { ["--public-key", directory["baseline.pub"]] }

  init() throws {
    directory = try TemporaryDirectory()
    let tree = try directory.makeDirectory("tree")
    for number in 0..<20 { try directory.write("tree/f\(number)", "\(number)\n") }
    let config = try directory.write("baseline.conf", "\(tree) p+s+m+c+i+n+sha256\n")
    place = ["--config", config, "--database", directory["b.db"]]
    try openssl("genpkey", "-algorithm", "ed25519", "-out", key)
    try openssl("pkey", "-in", key, "-pubout", "-out", directory["baseline.pub"])
    #expect(try fsaudit("init").status == 0)
  }

  @discardableResult
  private func openssl(_ words: String...) throws -> ProgramResult {
    let result = try run("openssl", words)
    #expect(result.status == 0, "\(words): \(result.errorText)")
    return result
  }

  private func fsaudit(_ words: String...) throws -> ProgramResult { try run(fsauditBinary, ["baseline"] + words + place) }

  private func verify(_ words: String...) throws -> ProgramResult {
    try run(fsauditBinary, ["baseline", "verify"] + words + publicKey + place)
  }

  @Test func withTheKeyAtHand() throws {
    let early = try verify()
    #expect(early.status == 22 && early.errorText.contains("generation 1 is not signed"), "\(early)")
    let signature = directory["kept.sig"]
    let signed = try fsaudit("sign", "--key", key, "--output", signature)
    #expect(signed.status == 0 && signed.errorText.isEmpty && signed.text.contains("21 objects: signed with key "), "\(signed)")
    #expect(try verify().status == 0)
    #expect(try verify("--signature", signature).status == 0)
    let id = try openssl("pkey", "-pubin", "-in", directory["baseline.pub"], "-outform", "DER", "-out", directory["key.der"])
    #expect(id.status == 0)
    let name = try run("sha256sum", [directory["key.der"]]).text.prefix(16)
    #expect(try fsaudit("list").text.contains("  \(name)  "))
    #expect(try fsaudit("list", "--format", "json").text.contains("\"signed\":[\"\(name)\"]}"))
    let again = try fsaudit("sign", "--key", key, "--output", signature)
    #expect(again.status == 5 && again.errorText.contains("name another file"), "\(again)")
    try run("sqlite3", [database, "UPDATE object SET size = 9 WHERE name = 'f7'"])
    let edited = try verify()
    #expect(edited.status == 23 && edited.text.isEmpty && edited.errorText.contains("is not what was signed"), "\(edited)")
    #expect(try verify("--signature", signature).status == 23)
    #expect(try fsaudit("sign", "--key", key).status == 23)
    #expect(try fsaudit("sign", "--key", key, "--replace").status == 0)
    #expect(try verify().status == 0)
    #expect(try verify("--signature", signature).status == 23, "what was kept elsewhere does not change")
    let check = ["check", "--no-explain"] + publicKey + place
    #expect(try run(fsauditBinary, check).status == 4, "the size that was edited")
    try run("sqlite3", [database, "UPDATE object SET size = 2 WHERE name = 'f7'"])
    for words in [check, ["baseline", "update"] + publicKey + place] {
      let refused = try run(fsauditBinary, words)
      #expect(refused.status == 23 && refused.text.isEmpty && refused.errorText.contains("is not what was signed"), "\(refused)")
    }
    try run("sqlite3", [database, "UPDATE object SET size = 9 WHERE name = 'f7'"])
    let updated = try fsaudit("update")
    #expect(updated.status == 0 && updated.errorText.contains("generation 2 is not signed yet"), "\(updated)")
    #expect(try verify().status == 22)
    #expect(try run(fsauditBinary, check).status == 22)
    #expect(try run(fsauditBinary, ["check", "--no-explain", "--public-key", directory["none"]] + place).status == 18)
    #expect(try verify("--generation", "1").status == 0)
    #expect(try verify("--generation", "3").status == 2)
    #expect(try fsaudit("list").text.contains("  no  "))
  }

  /// The private key never comes to the host, and openssl alone can verify.
  @Test func withTheKeyElsewhere() throws {
    let text = directory["web-1.txt"]
    let printed = try fsaudit("sign", "--statement")
    #expect(printed.status == 0)
    try directory.write("web-1.txt", printed.text)
    let signature = directory["web-1.sig"]
    try openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", text, "-out", signature)
    let words = ["baseline", "sign", "--signature", signature] + publicKey + place
    #expect(try run(fsauditBinary, words).status == 0)
    #expect(try verify().status == 0)
    let piped = words.map { $0 == signature ? "-" : $0 }
    #expect(try run(fsauditBinary, piped, input: try contents(of: signature)).status == 0)
    #expect(try run(fsauditBinary, piped, input: []).status == 23)
    #expect(try verify("--signature", signature).status == 0)
    let own = directory["own.sig"]
    #expect(try fsaudit("sign", "--key", key, "--output", own).status == 0)
    try openssl("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", directory["baseline.pub"], "-in", text, "-sigfile", own)
    #expect(try fsaudit("update").status == 0)
    let late = try run(fsauditBinary, words)
    #expect(late.status == 23 && late.errorText.contains("no signature of generation 2"), "\(late)")
  }

  @Test func keysThatAreNone() throws {
    try openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-out", directory["rsa.key"])
    try openssl("pkey", "-in", directory["rsa.key"], "-pubout", "-out", directory["rsa.pub"])
    try directory.write("none", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    try directory.write("empty", "")
    for (file, status, says) in [
      ("rsa.key", 2, "RSA, not Ed25519"), ("baseline.pub", 2, "openssl genpkey"), ("none", 2, "no private key"),
      ("empty", 2, "no private key"),
      ("missing", 5, "No such file"), ("tree", 5, "directory"),
    ] as [(String, Int32, String)] {
      let result = try fsaudit("sign", "--key", directory[file])
      #expect(result.status == status && result.errorText.contains(says), "\(file): \(result)")
    }
    for (file, status, says) in [
      ("rsa.pub", 2, "RSA, not Ed25519"), ("baseline.key", 2, "openssl pkey"), ("none", 2, "no public key"), ("missing", 5, "No such file"),
    ] as [(String, Int32, String)] {
      let result = try fsaudit("verify", "--public-key", directory[file])
      #expect(result.status == status && result.errorText.contains(says), "\(file): \(result)")
    }
    for words in [["--key", key, "--statement"], [], ["--statement", "--output", "x"], ["--statement", "--replace"]] {
      #expect(try run(fsauditBinary, ["baseline", "sign"] + words + place).status == 2, "\(words)")
    }
    try run("chmod", ["640", key])
    let open = try fsaudit("sign", "--key", key)
    #expect(open.status == 0 && open.errorText.contains("warning") && open.errorText.contains("chmod 600"), "\(open)")
  }

  @Test func aPassphraseIsAskedForOnTheTerminal() throws {
    let locked = directory["locked.key"]
    try openssl("pkey", "-in", key, "-aes256", "-passout", "pass:open sesame", "-out", locked)
    let words = ["baseline", "sign", "--key", locked] + place
    let alone = try run("setsid", ["-w", fsauditBinary] + words, input: Array("open sesame\n".utf8))
    #expect(alone.status == 2 && alone.errorText.contains("no terminal"), "\(alone)")
    let command = ([fsauditBinary] + words).map { "'\($0)'" }.joined(separator: " ")
    func typed(_ text: String) throws -> ProgramResult {
      try run("script", ["-qec", command, "/dev/null"], input: Array((text + "\n").utf8))
    }
    let wrong = try typed("sesame")
    #expect(wrong.status == 3 && wrong.text.contains("not the right passphrase"), "\(wrong.text)")
    let right = try typed("open sesame")
    #expect(right.status == 0 && right.text.contains("Passphrase of the key: ") && right.text.contains("signed with key"), "\(right.text)")
    #expect(try verify().status == 0)
  }
}
