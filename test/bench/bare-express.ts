import type { AddressInfo } from 'node:net';
import express from 'express';

// A handler that takes a webhook and stores nothing: what the controller is measured beside. Prints its port.
const app = express();
app.post('/webhook', express.raw({ type: () => true, limit: '25mb' }), (_request, response) => {
  response.status(202).json({ status: 'accepted' });
});
const server = app.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
