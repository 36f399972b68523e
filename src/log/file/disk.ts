import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises'

/** What a log in files asks of the file system. Tests put another in its place that fails, or that notes. */
export interface Disk {
  /** Opens a file to read and write. @param mode `create`: it must not be there yet */
  open (path: string, mode: 'create' | 'existing'): Promise<DiskFile>
  list (folder: string): Promise<readonly string[]>
  /** Returns the bytes of a file. */
  size (path: string): Promise<number>
  /** Puts a file in the place of another. */
  rename (from: string, to: string): Promise<void>
  remove (path: string): Promise<void>
  /** Makes what was created, renamed and removed in a folder outlast a power cut. */
  syncFolder (folder: string): Promise<void>
}

export interface DiskFile {
  /** Writes all of the bytes, or fails; then the file may have some of them. */
  write (bytes: Buffer, position: number): Promise<void>
  /** Fills as much of the buffer as the file has from there. @returns the number of bytes */
  read (buffer: Buffer, position: number): Promise<number>
  truncate (length: number): Promise<void>
  /** Makes what was written, and the file's length, outlast a power cut. */
  sync (): Promise<void>
  close (): Promise<void>
}

class NodeFile implements DiskFile {
  constructor (private readonly handle: FileHandle) {}

  async write (bytes: Buffer, position: number): Promise<void> {
    for (let written = 0; written < bytes.length;) {
      const { bytesWritten } = await this.handle.write(
        bytes, written, bytes.length - written, position + written
      )
      written += bytesWritten
    }
  }

  async read (buffer: Buffer, position: number): Promise<number> {
    let filled = 0
    while (filled < buffer.length) {
      const { bytesRead } = await this.handle.read(buffer, filled, buffer.length - filled, position + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return filled
  }

  async truncate (length: number): Promise<void> {
    await this.handle.truncate(length)
  }

  async sync (): Promise<void> {
    await this.handle.datasync()
  }

  async close (): Promise<void> {
    await this.handle.close()
  }
}

/** The file system of this machine. */
export const nodeDisk: Disk = {
  async open (path, mode) {
    return new NodeFile(await open(path, mode === 'create' ? 'wx+' : 'r+', 0o600))
  },
  list: async folder => await readdir(folder),
  size: async path => (await stat(path)).size,
  rename,
  remove: async path => { await rm(path, { force: true }) },
  async syncFolder (folder) {
    const handle = await open(folder, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
}
