// INTERIM
import type { Source } from './source.js'
export class SourceSupervisor {
  constructor (private sources: readonly Source[], _c: unknown, _l: unknown) {}
  async begin (): Promise<void> {}
  async start (_n: string): Promise<'started' | 'running' | 'unknown'> { return 'unknown' }
  async stop (_n: string): Promise<'stopped' | 'unknown'> { return 'unknown' }
  async close (): Promise<void> {}
}
