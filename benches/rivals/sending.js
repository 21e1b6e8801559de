// BullMQ as it would do what Muhatap does: a handler that posts to the network and writes the outcome into a row; with
// `marked`, as whoever wants no double post must write it: a mark and an attempt before the call, both ended after it.
// node sending.js fill N | delayed N T0_MS | work CONCURRENCY outcome|marked, with $RPORT, $DATABASE_URL, $NETWORK and
// $ACCOUNTS.
const { Queue, Worker } = require('bullmq');
const { Pool } = require('pg');
const http = require('http');

const connection = { host: '127.0.0.1', port: Number(process.env.RPORT), maxRetriesPerRequest: null };
const accounts = Number(process.env.ACCOUNTS);
const [command, first, second] = process.argv.slice(2);
const options = { removeOnComplete: true, removeOnFail: false };
const AT_ONCE = 1000;

function post(agent, number) {
  const status = `Gönderi ${number}: yeni koleksiyonumuz bugün bütün mağazalarımızda, ilk alışverişte kargo bizden.`;
  const body = Buffer.from(JSON.stringify({ status, visibility: 'public' }));
  const headers = {
    authorization: `Bearer token-${number % accounts}`,
    'idempotency-key': `delivery-${number}`,
    'content-type': 'application/json',
    'content-length': body.length,
  };
  return new Promise((resolve, reject) => {
    const request = http.request(`${process.env.NETWORK}/api/v1/statuses`, { method: 'POST', agent, headers }, answer => {
      const chunks = [];
      answer.on('data', chunk => chunks.push(chunk));
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (answer.statusCode === 200) resolve(JSON.parse(text)); else reject(new Error(`${answer.statusCode} ${text}`));
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

const OUTCOME = "UPDATE jobs SET state = 'sent', network_ref = $2, receipt = $3, sent_at = now() WHERE id = $1";

// Statements of one transaction, each with a name, so that it is planned once.
async function together(pool, statements) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    for (const [name, text, values] of statements) {
      const done = await client.query({ name, text, values });
      if (done.rowCount !== 1) throw new Error(`${name}: somebody else has it`);
    }
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}

async function work(concurrency, writes) {
  const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 16 });
  const agent = new http.Agent({ keepAlive: true, maxSockets: concurrency });
  const outcome = (id, posted) => ['sent', OUTCOME, [id, posted.uri, JSON.stringify({ id: posted.id, url: posted.url })]];
  const handle = async job => {
    const id = job.data.number;
    if (writes === 'marked') {
      await together(pool, [
        ['mark', "UPDATE jobs SET state = 'sending', called_at = now() WHERE id = $1 AND state = 'queued'", [id]],
        ['begin', 'INSERT INTO attempts (job, called_at) VALUES ($1, now())', [id]],
      ]);
      const posted = await post(agent, id);
      const end = ['end', "UPDATE attempts SET outcome = 'sent', network_ref = $2, ended_at = now() WHERE job = $1", [id, posted.uri]];
      return together(pool, [outcome(id, posted), end]);
    }
    const [name, text, values] = outcome(id, await post(agent, id));
    await pool.query({ name, text, values });
  };
  const worker = new Worker('sending', handle, { connection, concurrency });
  for (const event of ['error', 'failed', 'stalled']) worker.on(event, (...said) => console.error(event, said.map(String).join(' ')));
}

async function add(count, from, delayOf) {
  const queue = new Queue('sending', { connection });
  await queue.waitUntilReady();
  for (let start = 0; start < count; start += AT_ONCE) {
    const size = Math.min(AT_ONCE, count - start);
    await queue.addBulk(Array.from({ length: size }, (_, offset) => ({
      name: 'post', data: { number: from + start + offset }, opts: { ...options, ...delayOf(start + offset) },
    })));
  }
  await queue.close();
}

if (command === 'work') work(Number(first), second);
// The numbers of the burst follow those of the sustained part.
if (command === 'fill') add(Number(first), 0, () => ({}));
if (command === 'delayed') {
  const [count, base] = first.split('+').map(Number);
  add(count, base, index => ({ delay: Math.max(1, Number(second) + Math.floor(index * 1000 / count) - Date.now()) }));
}
