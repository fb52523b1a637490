// The peer: one bare tool on the TypeScript SDK's server, stateless, answering in JSON, as the SDK's documentation does it.
import { createServer } from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';

const inputSchema = { a: z.number().int(), b: z.number().int() };

async function answer(request, response) {
  const server = new McpServer({ name: 'bare', version: '1' });
  server.registerTool('add', { description: 'Add two numbers.', inputSchema }, async ({ a, b }) => ({
    content: [{ type: 'text', text: String(a + b) }],
    structuredContent: { result: a + b },
  }));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
  response.on('close', () => {
    transport.close();
    server.close();
  });
  await server.connect(transport);
  await transport.handleRequest(request, response);
}

const listener = createServer(answer).listen(0, '127.0.0.1', () => {
  console.error(JSON.stringify({ event: 'listening', url: `http://127.0.0.1:${listener.address().port}/mcp` }));
});
process.stdin.on('end', () => process.exit()).resume();
