import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Disk } from './disk.js'

/** How many damaged parts of files are kept aside; older ones are removed. */
const MOST_ASIDE = 8
/** How much is copied at a time. */
const COPY_BYTES = 1024 * 1024
const DIGITS = 8

/** The folder of a log: what its files are called, and what stands in it. */
export class Folder {
  constructor (readonly disk: Disk, readonly path: string) {}

  /** Makes the folder, where it is not there yet. */
  async create (): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o700 })
  }

  /** The file of a segment. */
  segment (number: number): string {
    return join(this.path, `${nameOf(number)}.log`)
  }

  /** The file of the messages that are kept from the segments before this one. */
  kept (number: number): string {
    return join(this.path, `${nameOf(number)}.kept`)
  }

  /** The numbers of the segments, and of the files with messages that are kept, in order. */
  async numbers (): Promise<{ segments: number[], kept: number[] }> {
    const names = await this.disk.list(this.path)
    const of = (pattern: RegExp): number[] => names
      .flatMap(name => pattern.exec(name)?.slice(1).map(Number) ?? [])
      .sort((a, b) => a - b)
    return { segments: of(/^(\d+)\.log$/), kept: of(/^(\d+)\.kept$/) }
  }

  /** Removes files that were never finished. */
  async sweep (): Promise<void> {
    for (const name of await this.disk.list(this.path)) {
      if (name.endsWith('.new')) await this.disk.remove(join(this.path, name))
    }
  }

  /**
   * Keeps the end of a damaged file aside, under another name, unless it is nothing but zeros.
   * @returns the name; undefined if nothing is kept
   */
  async setAside (path: string, from: number): Promise<string | undefined> {
    const { disk } = this
    const source = await disk.open(path, 'existing')
    const names = new Set(await disk.list(this.path))
    const base = path.slice(this.path.length + 1)
    let turn = 1
    while (names.has(`${base}.damaged-${turn}`)) turn++
    const name = `${base}.damaged-${turn}`
    let isEmpty = true
    try {
      const target = await disk.open(join(this.path, name), 'create')
      try {
        const buffer = Buffer.alloc(COPY_BYTES)
        for (let at = 0, bytes; (bytes = await source.read(buffer, from + at)) > 0; at += bytes) {
          const part = buffer.subarray(0, bytes)
          if (part.some(byte => byte !== 0)) isEmpty = false
          await target.write(part, at)
        }
      } finally {
        await target.close()
      }
    } finally {
      await source.close()
    }
    if (isEmpty) await disk.remove(join(this.path, name))
    await this.removeOldest()
    return isEmpty ? undefined : name
  }

  private async removeOldest (): Promise<void> {
    const aside = (await this.disk.list(this.path))
      .filter(name => /\.damaged-\d+$/.test(name))
      .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    for (const name of aside.slice(0, -MOST_ASIDE)) await this.disk.remove(join(this.path, name))
  }
}

const nameOf = (number: number): string => String(number).padStart(DIGITS, '0')
