import type { MemoryLog } from '../../src/log/memory/memory-log.js'

/**
 * Lets one kind of question to a log wait, as a log on the network does: so that a test decides what happens meanwhile.
 * @param concerns by the topic that is asked for
 * @returns lets those that wait go on, and later ones be answered at once
 */
export function holdLog (log: MemoryLog, method: 'head' | 'read' | 'snapshot', concerns: (topic: string) => boolean = () => true): () => void {
  const answer = log[method].bind(log) as (...question: unknown[]) => Promise<unknown>
  let release = (): void => {}
  const released = new Promise<void>(resolve => { release = resolve })
  const held = async (...question: unknown[]): Promise<unknown> => {
    if (method === 'head' || concerns(question[0] as string)) await released
    return await answer(...question)
  }
  Object.assign(log, { [method]: held })
  return () => {
    Object.assign(log, { [method]: answer })
    release()
  }
}
