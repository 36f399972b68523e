import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { COMMAND } from '../helpers/command.js'
import { blocksOf } from '../helpers/docs.js'
import { startServer } from '../helpers/server.js'

/**
 * Stubs of the programs that the lines start. They keep the secret that they got; the command itself signs
 * tokens.
 */
const STUBS = `
docker () { printf %s "$JWT_SECRET" > "$OUT/secret"; }
npx () { shift; if [ "$1" = start ]; then printf %s "$JWT_SECRET" > "$OUT/secret"; else node "$COMMAND" "$@"; fi; }
`

for (const [page, heading] of [
  ['docs/deployment/several-nodes.md', 'In Docker'],
  ['docs/deployment/one-node.md', 'One node']
] as const) {
  test(`${page}: the lines below '${heading}' make a token that the server takes`, async t => {
    const out = mkdtempSync(join(tmpdir(), 'tickwire-docs-'))
    const lines = blocksOf(page, heading, 'sh').join('\n')
    execFileSync('bash', ['-euc', `${STUBS}${lines}\nprintf %s "\${TICKWIRE_TOKEN-}" > "$OUT/token"`], {
      env: { PATH: process.env['PATH'], OUT: out, COMMAND },
      stdio: ['ignore', 'ignore', 'inherit']
    })
    t.ok(existsSync(join(out, 'secret')), 'a server is started')
    const [secret, token] = ['secret', 'token'].map(name => readFileSync(join(out, name), 'utf8')) as [
      string,
      string
    ]
    t.match(secret, /^[0-9a-f]{64}$/)
    const server = await startServer(t, { JWT_SECRET: secret, AUTH: 'required' })
    const ask = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${server.origin}/v1/stream?subscribe=quotes:A`, { headers })).status
    t.equal(await ask({}), 401)
    t.equal(await ask({ authorization: `Bearer ${token}` }), 200)
  })
}
