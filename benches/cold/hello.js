// The same for Node: Lambda's runtime interface in plain http.
const http = require("node:http");
const [hostname, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true });

function ask(method, path, body) {
  return new Promise((resolve, reject) => {
    const options = { hostname, port, agent, method, path: `/2018-06-01/runtime/invocation/${path}` };
    const request = http.request(options, (answer) => {
      let text = "";
      answer.on("data", (part) => (text += part));
      answer.on("end", () => resolve({ headers: answer.headers, text }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

(async () => {
  for (;;) {
    const event = await ask("GET", "next");
    JSON.parse(event.text);
    const id = event.headers["lambda-runtime-aws-request-id"];
    await ask("POST", `${id}/response`, JSON.stringify({ statusCode: 200, body: "hello" }));
  }
})().catch(() => process.exit(1));
