// Runs a Bluesky network in one process and makes its users. Started by bluesky.sh with the folder of node_modules.
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const folder = path.resolve(process.argv[2]);
const from = createRequire(path.join(folder, 'node_modules', '@atproto', 'dev-env', 'package.json'));
const load = (name) => import(pathToFileURL(from.resolve(name)));

// The AppView's tables outlive this process, the identities it indexes do not: each start takes schemas of its own,
// whose names may only have letters.
const schema = `run_${Array.from(String(Date.now()), (digit) => 'abcdefghij'[digit]).join('')}`;
const { TestNetwork } = await load('@atproto/dev-env');
const network = await TestNetwork.create({
    dbPostgresSchema: schema,
    pds: { port: Number(process.env.PEERS_PDS_PORT), hostname: 'localhost', enableDidDocWithSession: true },
    bsky: { dbPostgresSchema: `bsky_${schema}` },
});

const people = [
    ['destek.test', 'Örnek Destek'],
    ['alice.test', 'Alice'],
    ['bob.test', 'Bob'],
];
for (const [handle, displayName] of people) {
    const agent = network.pds.getAgent();
    await agent.createAccount({ handle, email: `${handle}@example.test`, password: 'hunter2' });
    await agent.upsertProfile(() => ({ displayName }));
}
await network.processAll();
console.log('ready');

for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => process.exit(0));
}
