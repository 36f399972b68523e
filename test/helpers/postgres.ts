import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import pg from 'pg'
import { ended } from './ended.js'
import { eventually } from './eventually.js'
import { limitFiles, type Owner } from './file-limit.js'

/** The program `postgres` that `npm test` has found or installed. */
export const postgresProgram = process.env['TEST_POSTGRES']
/** The PostgreSQL that runs in docker, where there is no program to start. */
export const postgresUrl = process.env['TEST_POSTGRES_URL']

/** As which it runs where the tests run as root, which it refuses: Debian's user of it, else nobody. */
const USERS = ['postgres', 'nobody']

/**
 * Nothing waits for the disk: a process that is killed loses nothing that it gave to the system, only a
 * machine does.
 */
const QUICK = [
  'fsync=off', 'shared_buffers=16MB', 'max_connections=40', 'autovacuum=off', 'listen_addresses='
]
/** Acknowledges what is in its own memory alone. */
const FORGETFUL = ['synchronous_commit=off', 'full_page_writes=off']

/** Its log is in files of 1 MB: one that may grow no further must be a table's, or all of it would crash. */
const INITDB = [
  '--username', 'admin', '--auth', 'trust', '--encoding', 'UTF8', '--locale', 'C', '--no-sync',
  '--wal-segsize', '1'
]

const open = new Set<PostgresServer>()
process.once('exit', () => { for (const server of open) server.endAtOnce() })

function owner (): Owner {
  if (userInfo().uid !== 0) return {}
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n').map(line => line.split(':'))
  for (const user of USERS) {
    const [, , uid, gid] = lines.find(([name]) => name === user) ?? []
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error(`none of the users ${USERS.join(' and ')} is there, and PostgreSQL does not run as root`)
}

function endIfThere (pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

/** A PostgreSQL of a test's own, on a socket in a folder of its own. */
export class PostgresServer {
  private readonly owner = owner()
  private child: ChildProcess | undefined
  private databases = 0

  private constructor (readonly folder: string, private readonly isDurable: boolean) {}

  /**
   * @param isDurable what was acknowledged survives its process
   * @param folder an empty one for its data; else one in /tmp: the path of a socket has at most 107 bytes
   */
  static async start ({ isDurable = false } = {}): Promise<PostgresServer> {
    const folder = mkdtempSync('/tmp/tickwire-pg-')
    const server = new PostgresServer(folder, isDurable)
    open.add(server)
    const { uid, gid } = server.owner
    if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid)
    chmodSync(folder, 0o700)
    const initdb = join(dirname(postgresProgram!), 'initdb')
    execFileSync(initdb, ['--pgdata', server.data, ...INITDB], { ...server.owner, cwd: '/', stdio: 'ignore' })
    await server.start()
    return server
  }

  private get data (): string {
    return join(this.folder, 'data')
  }

  /** Where a database of it is. */
  url (database = 'postgres', user = 'admin'): string {
    return `postgres://${user}@/${database}?host=${encodeURIComponent(this.folder)}`
  }

  async start (): Promise<void> {
    await eventually('PostgreSQL answers', async () => {
      // After a crash it refuses to start until the last process of the one before has ended.
      if (this.child === undefined || this.child.exitCode !== null) this.spawn()
      return await this.ask('select 1').then(() => true, () => false)
    })
  }

  private spawn (): void {
    const settings = [...QUICK, ...(this.isDurable ? [] : FORGETFUL)].flatMap(setting => ['-c', setting])
    const args = ['-D', this.data, '-k', this.folder, ...settings]
    this.child = spawn(postgresProgram!, args, { ...this.owner, cwd: '/', stdio: 'ignore' })
    this.child.unref()
  }

  /** Asks by a connection of its own. */
  async ask (sql: string, database = 'postgres'): Promise<Record<string, unknown>[]> {
    const client = await this.client(database)
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows
    } finally {
      await client.end()
    }
  }

  async client (database = 'postgres'): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url(database) })
    // It may be killed meanwhile.
    client.on('error', () => {})
    await client.connect()
    return client
  }

  /** @returns the name of a new and empty database */
  async createDatabase (more = ''): Promise<string> {
    const name = `test${++this.databases}`
    await this.ask(`create database ${name} ${more}`)
    return name
  }

  /** The largest file that processes for new connections may write. */
  limitFiles (bytes: number | 'unlimited'): void {
    limitFiles(this.child!.pid!, bytes, this.owner)
  }

  /** Ends all its processes at once: none of them answers any more. */
  async kill (): Promise<void> {
    const { child } = this
    if (child === undefined) return
    child.ref()
    this.killAll()
    await ended(child)
    this.child = undefined
  }

  /** Those that serve connections would end by themselves, when they have answered. */
  private killAll (): void {
    const { child } = this
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    // It starts no others meanwhile.
    child.kill('SIGSTOP')
    const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ')
    child.kill('SIGKILL')
    for (const pid of children.filter(text => text !== '')) endIfThere(Number(pid))
  }

  async close (): Promise<void> {
    await this.kill()
    open.delete(this)
    rmSync(this.folder, { recursive: true, force: true })
  }

  endAtOnce (): void {
    this.killAll()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
