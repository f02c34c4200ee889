// Parses AsyncAPI documents from stdin: an array of objects with documents in base64. Prints
// the errors of each document in the same form.
const { Parser } = require("@asyncapi/parser");

async function errorsOf(document) {
  const result = await new Parser().parse(Buffer.from(document, "base64").toString());
  const errors = result.diagnostics.filter((d) => d.severity === 0).map((d) => `${d.path.join("/")}: ${d.message}`);
  return result.document || errors.length ? errors : ["there is no document"];
}

async function main() {
  const groups = JSON.parse(require("fs").readFileSync(0, "utf8"));
  for (const group of groups) {
    for (const name of Object.keys(group)) group[name] = await errorsOf(group[name]);
  }
  process.stdout.write(JSON.stringify(groups));
}

main();
