import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const MODULE = 'github.com/centrifugal/centrifugo/v6'
export const CENTRIFUGO = '6.9.1'

/**
 * Returns the path of Centrifugo: `CENTRIFUGO_BINARY`, or one that Go builds once, which takes some minutes.
 * Undefined where there is no Go.
 */
export function centrifugo () {
  const given = process.env['CENTRIFUGO_BINARY']
  if (given !== undefined) return given
  const folder = join(tmpdir(), `tickwire-bench-${process.getuid?.()}`)
  const program = join(folder, 'centrifugo')
  if (existsSync(program)) return program
  try {
    process.stderr.write(`building Centrifugo ${CENTRIFUGO} with go install; this takes some minutes\n`)
    execFileSync('go', ['install', `${MODULE}@v${CENTRIFUGO}`], {
      env: { ...process.env, GOBIN: folder }, stdio: ['ignore', 'ignore', 'inherit']
    })
    return program
  } catch {
    process.stderr.write('Centrifugo is left out: it takes Go to build it, or CENTRIFUGO_BINARY\n')
    return undefined
  }
}
