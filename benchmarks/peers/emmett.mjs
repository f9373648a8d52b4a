// emmett (npm @event-driven-io/emmett-postgresql): new streams of one event of about 500 bytes.
// node emmett.mjs DSN CALLERS EVENTS
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql';
import { randomBytes, randomUUID } from 'node:crypto';

const [dsn, callers, events] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const store = getPostgreSQLEventStore(dsn);
await store.schema.migrate();
const text = randomBytes(245).toString('hex').slice(0, 489);
const latencies = [];
let next = 0;

async function caller() {
  while (next < events) {
    next += 1;
    const began = performance.now();
    await store.appendToStream(`bench-${randomUUID()}`, [{ type: 'Happened', data: { text } }], {
      expectedStreamVersion: 'STREAM_DOES_NOT_EXIST',
    });
    latencies.push(performance.now() - began);
  }
}

const warm = `warm-${randomUUID()}`;
await store.appendToStream(warm, [{ type: 'Happened', data: { text } }]);
const began = performance.now();
await Promise.all(Array.from({ length: callers }, caller));
const seconds = (performance.now() - began) / 1000;
latencies.sort((a, b) => a - b);
console.log(
  JSON.stringify({
    rate: latencies.length / seconds,
    p50_ms: latencies[Math.floor(latencies.length * 0.5)],
    p99_ms: latencies[Math.floor(latencies.length * 0.99)],
    seconds,
  }),
);
await store.close();
process.exit(0);
