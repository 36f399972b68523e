import { randomUUID } from 'node:crypto'
import { link, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { LogSetupError } from '../setup-error.js'

const LOCK = 'lock'
const OWNER = 'owner.json'
/** How often the lock of a process that has ended is taken away: another may take its place meanwhile. */
const ATTEMPTS = 5
/** A path that is longer cannot name a socket on any system. */
const MOST_PATH_BYTES = 100

/**
 * The right of one process to a folder: a socket in it, at which the process listens. The system closes the
 * socket when the process ends, however it ends, so a socket that nobody listens at is free. Unlike the
 * number of a process, it means the same in every container that has the folder.
 */
export class FolderLock {
  private constructor (private readonly folder: string, private readonly server: Server) {}

  /** @throws LogSetupError that names the process which has the folder */
  static async take (folder: string): Promise<FolderLock> {
    const place = await Place.open(folder)
    const own = `${LOCK}.${randomUUID()}`
    let server: Server | undefined
    try {
      server = await place.listen(own)
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (await linked(join(folder, own), join(folder, LOCK))) {
          await writeFile(join(folder, OWNER), JSON.stringify({
            pid: process.pid, host: hostname(), since: new Date().toISOString()
          }))
          return new FolderLock(folder, server)
        }
        if (await place.isHeld(LOCK)) break
        if (await takenAway(place, folder)) break
      }
      server.close()
      throw new LogSetupError(`LOG_PATH: ${folder} is in use by ${await ownerOf(folder)}; ` +
        'one process at a time can have a log in files: stop that one, or choose another folder')
    } catch (error) {
      server?.close()
      throw error
    } finally {
      await rm(join(folder, own), { force: true })
      await place.close()
    }
  }

  async release (): Promise<void> {
    await rm(join(this.folder, OWNER), { force: true })
    await rm(join(this.folder, LOCK), { force: true })
    this.server.close()
  }
}

/** A folder whose sockets have short paths: the system allows about a hundred bytes. */
class Place {
  private constructor (private readonly base: string, readonly close: () => Promise<void>) {}

  static async open (folder: string): Promise<Place> {
    if (Buffer.byteLength(join(folder, `${LOCK}.${randomUUID()}`)) <= MOST_PATH_BYTES) {
      return new Place(folder, async () => {})
    }
    if (process.platform !== 'linux') {
      throw new LogSetupError(`LOG_PATH: ${folder} is too long for a socket in it; choose a shorter path`)
    }
    const handle = await open(folder, 'r')
    return new Place(`/proc/self/fd/${handle.fd}`, () => handle.close())
  }

  async listen (name: string): Promise<Server> {
    const server = createServer(socket => { socket.destroy() })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ path: join(this.base, name) }, resolve)
    })
    return server.unref()
  }

  /** Whether a process listens at the socket. One that is stopped, or busy, does so, too. */
  async isHeld (name: string): Promise<boolean> {
    return await new Promise((resolve, reject) => {
      const socket = connect(join(this.base, name))
      socket.once('connect', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false)
        // The queue of those who wait for an answer is full.
        else if (error.code === 'EAGAIN') resolve(true)
        else reject(error)
      })
    })
  }
}

/** Creates a second name of a file. @returns false if there is such a name */
async function linked (from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/**
 * Takes the lock of a process that has ended away. If another process took that one away first, and put its
 * own in its place, it puts that back.
 * @returns whether a process has the folder after all
 */
async function takenAway (place: Place, folder: string): Promise<boolean> {
  const aside = `${LOCK}.${randomUUID()}`
  try {
    await rename(join(folder, LOCK), join(folder, aside))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
  const isHeld = await place.isHeld(aside)
  if (isHeld) await linked(join(folder, aside), join(folder, LOCK))
  await rm(join(folder, aside), { force: true })
  return isHeld
}

async function ownerOf (folder: string): Promise<string> {
  try {
    const { pid, host, since } = JSON.parse(await readFile(join(folder, OWNER), 'utf8')) as {
      pid: number, host: string, since: string
    }
    return `process ${pid} on ${host}, since ${since}`
  } catch {
    return 'another process'
  }
}
