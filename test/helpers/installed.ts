import { execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { ROOT } from './root.js'

const run = promisify(execFile)

/** A folder outside of the project that has the package as `npm pack` makes it, and nothing else. */
export interface Installed {
  readonly folder: string
  /** Paths in the tarball. */
  readonly files: readonly string[]
  /** What `npm install` complained about. */
  readonly warnings: string
}

/** @param packages what is installed beside the tarball */
export async function packAndInstall (t: Test, packages: readonly string[]): Promise<Installed> {
  const place = mkdtempSync(join(tmpdir(), 'tickwire-installed-'))
  t.teardown(() => { rmSync(place, { recursive: true, force: true }) })
  const packed = await run('npm', ['pack', '--json', '--silent', '--pack-destination', place], { cwd: ROOT })
  const [tarball] = JSON.parse(packed.stdout) as [{ filename: string, files: Array<{ path: string }> }]
  const folder = join(place, 'application')
  mkdirSync(folder)
  const { stderr } = await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages, join(place, tarball.filename)], { cwd: folder })
  return { folder, files: tarball.files.map(({ path }) => path), warnings: stderr }
}

/** Has a program listen at another port than the one that it names: that one may be taken on this machine. */
export function runAtPort (t: Test, folder: string, program: string, named: number, port: number): void {
  const preload = `import { Server } from 'node:net'
const { listen } = Server.prototype
Server.prototype.listen = function (options, ...rest) { return listen.call(this, options?.port === ${named} ? { ...options, port: ${port} } : options, ...rest) }`
  writeFileSync(join(folder, 'port.mjs'), preload)
  const child = spawn(process.execPath, ['--import', './port.mjs', program], { cwd: folder, env: { PATH: process.env['PATH'] }, stdio: ['ignore', 'inherit', 'inherit'] })
  t.teardown(() => { child.kill('SIGKILL') })
}
