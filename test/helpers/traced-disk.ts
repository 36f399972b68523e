import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Disk, DiskFile } from '../../src/log/file/disk.js'
import type { Choices } from './random.js'

/** What a program asked of a disk, in order; and marks of a test in between. */
type Operation =
  | { readonly do: 'create', readonly name: string, readonly id: number }
  | { readonly do: 'write', readonly id: number, readonly position: number, readonly bytes: Buffer }
  | { readonly do: 'truncate', readonly id: number, readonly length: number }
  | { readonly do: 'sync', readonly id: number }
  | { readonly do: 'rename', readonly from: string, readonly to: string }
  | { readonly do: 'remove', readonly name: string }
  | { readonly do: 'syncFolder' }

type Data = Extract<Operation, { do: 'write' | 'truncate' }>
type Entries = Map<string, number>

/** A folder in memory that notes what was asked of it, so that a test can find it as it was at any moment. */
export class TracedDisk implements Disk {
  readonly trace: Operation[] = []
  /** The next calls fail with these errors, by what is asked. */
  readonly failures: Array<{ readonly do: Operation['do'], readonly code: string }> = []
  private readonly names: Entries = new Map()
  private readonly files = new Map<number, Buffer>()
  private created = 0

  async open (path: string, mode: 'create' | 'existing'): Promise<DiskFile> {
    const name = basename(path)
    this.fail('create')
    if (mode === 'create') {
      if (this.names.has(name)) throw Object.assign(new Error(`${name} is there`), { code: 'EEXIST' })
      const id = ++this.created
      this.note({ do: 'create', name, id })
      this.names.set(name, id)
      this.files.set(id, Buffer.alloc(0))
    }
    const id = this.idOf(name)
    return {
      write: async (bytes, position) => {
        const failure = this.takeFailure('write')
        // A write that fails may have written a part.
        const part = Buffer.from(failure === undefined ? bytes : bytes.subarray(0, bytes.length >>> 1))
        const write = { do: 'write', id, position, bytes: part } as const
        this.note(write)
        this.files.set(id, changed(this.files.get(id)!, write))
        if (failure !== undefined) throw failure
      },
      read: async (buffer, position) => this.files.get(id)!.copy(buffer, 0, position),
      truncate: async length => {
        this.fail('truncate')
        const truncate = { do: 'truncate', id, length } as const
        this.note(truncate)
        this.files.set(id, changed(this.files.get(id)!, truncate))
      },
      sync: async () => {
        // Others have their turn while the disk works.
        await new Promise(resolve => { setImmediate(resolve) })
        this.fail('sync')
        this.note({ do: 'sync', id })
      },
      close: async () => {}
    }
  }

  async list (): Promise<readonly string[]> {
    return [...this.names.keys()]
  }

  async size (path: string): Promise<number> {
    return this.files.get(this.idOf(basename(path)))!.length
  }

  async rename (from: string, to: string): Promise<void> {
    const rename = { do: 'rename', from: basename(from), to: basename(to) } as const
    this.note(rename)
    apply(this.names, rename)
  }

  async remove (path: string): Promise<void> {
    const remove = { do: 'remove', name: basename(path) } as const
    this.note(remove)
    apply(this.names, remove)
  }

  async syncFolder (): Promise<void> {
    this.note({ do: 'syncFolder' })
  }

  /**
   * Writes the folder as it was after some of the operations.
   * @param power undefined: a process was killed, so that all is there. Otherwise the power was cut: of what
   * was not synced these choices leave some whole, some in part and some not at all
   */
  writeTo (folder: string, operations: number, power: Choices | undefined): void {
    const names: Entries = new Map()
    const synced = new Map<number, Buffer>()
    const unsynced = new Map<number, Data[]>()
    let moves: Operation[] = []
    for (const operation of this.trace.slice(0, operations)) {
      switch (operation.do) {
        case 'create':
          synced.set(operation.id, Buffer.alloc(0))
          moves.push(operation)
          break
        case 'write': case 'truncate':
          unsynced.set(operation.id, [...unsynced.get(operation.id) ?? [], operation])
          break
        case 'sync':
          synced.set(
            operation.id, (unsynced.get(operation.id) ?? []).reduce(changed, synced.get(operation.id)!)
          )
          unsynced.delete(operation.id)
          break
        case 'rename': case 'remove':
          moves.push(operation)
          break
        case 'syncFolder':
          for (const move of moves) apply(names, move)
          moves = []
      }
    }
    // A file system does these in order.
    for (const move of power === undefined ? moves : moves.slice(0, power.integer(0, moves.length))) {
      apply(names, move)
    }
    for (const [name, id] of names) {
      let bytes = synced.get(id)!
      for (const change of unsynced.get(id) ?? []) {
        const left = power === undefined ? change : partOf(change, power)
        if (left !== undefined) bytes = changed(bytes, left)
      }
      writeFileSync(join(folder, name), bytes)
    }
  }

  private idOf (name: string): number {
    const id = this.names.get(name)
    if (id === undefined) throw Object.assign(new Error(`${name} is not there`), { code: 'ENOENT' })
    return id
  }

  private note (operation: Operation): void {
    this.trace.push(operation)
  }

  private takeFailure (what: Operation['do']): Error | undefined {
    if (this.failures[0]?.do !== what) return undefined
    const { code } = this.failures.shift()!
    return Object.assign(new Error(`${code}: the disk of a test`), { code })
  }

  private fail (what: Operation['do']): void {
    const failure = this.takeFailure(what)
    if (failure !== undefined) throw failure
  }
}

function apply (names: Entries, operation: Operation): void {
  if (operation.do === 'create') names.set(operation.name, operation.id)
  else if (operation.do === 'remove') names.delete(operation.name)
  else if (operation.do === 'rename') {
    names.set(operation.to, names.get(operation.from)!)
    names.delete(operation.from)
  }
}

function changed (file: Buffer, change: Data): Buffer {
  if (change.do === 'truncate') return file.subarray(0, change.length)
  const { position, bytes } = change
  const longer = Buffer.alloc(Math.max(file.length, position + bytes.length))
  file.copy(longer)
  bytes.copy(longer, position)
  return longer
}

/** What is left of a change that was not synced. */
function partOf (change: Data, power: Choices): Data | undefined {
  const kind = power.integer(0, 2)
  if (kind === 0) return undefined
  if (kind === 1 || change.do === 'truncate') return change
  const { bytes } = change
  return { ...change, bytes: bytes.subarray(0, power.integer(0, Math.max(0, bytes.length - 1))) }
}
