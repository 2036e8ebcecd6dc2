/// An application as a pipeline.
public struct ImportedApplication: Hashable, Sendable {
  /// The pipeline's name, also of its files.
  public let name: String
  /// The text of `NAME.yaml`.
  public let pipeline: String
  /// The text of `NAME.sql`.
  public let program: String
  /// What was not carried over, in the order of the file.
  public let remarks: [ImportRemark]
}

/// Turns applications of Kinesis Data Analytics into pipelines.
///
/// The text is what `describe-application` of either API version prints, a CloudFormation template in
/// JSON or YAML, or a Terraform file; which of them is seen from the text.
///
/// - Parameters:
///   - text: The file's text.
///   - file: The file's name, for messages; one that ends in `.tf` is Terraform.
///   - readFile: Gives the text of a file that the application names, by a path relative to `file`.
/// - Returns: The applications in the order of the file, at least one.
/// - Throws: `ImportProblem`.
public func importKinesisAnalytics(
  _ text: String, file: String, readFile: @escaping (String) throws -> String
) throws(ImportProblem) -> [ImportedApplication] {
  guard !TemplateReader.isProgram(text) else {
    throw ImportProblem(
      file: file, "this is a program without the application around it",
      hint:
        "what it reads and writes is not in it: \(TemplateReader.expected); or write a pipeline by "
        + "hand, with 'application: \(file.split(separator: "/").last ?? "app.sql")'")
  }
  let isTerraform = file.hasSuffix(".tf") || text.contains("resource \"aws_kinesis")
  let document =
    isTerraform
    ? try TerraformReader(file: file).read(text) : try TemplateReader(file: file).read(text)
  var imported: [ImportedApplication] = []
  for application in document.applications {
    var reader = ApplicationReader(file: file, meaning: document.meaning, readFile: readFile)
    let result = try reader.read(application)
    guard !imported.contains(where: { $0.name == result.name }) else {
      throw ImportProblem(
        file: file, at: application.settings.position,
        "there is another application '\(result.name)'", hint: "give each a name of its own")
    }
    imported.append(result)
  }
  return imported
}
