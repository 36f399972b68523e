import { useEffect } from 'react'
import { useClient } from '@tickwire/client/react'
import type { Instrument } from '@tickwire/protocol'
import { ask } from '../app/ask.js'
import { repeat, RETRY_MS } from '../app/repeat.js'
import { createStore, useStore } from '../app/store.js'

export type { Instrument }

/** How often to ask again: instruments come and go seldom. */
const AGAIN_MS = 60_000

/** By symbol, in the order of the server; undefined until they are read. */
const instruments = createStore<ReadonlyMap<string, Instrument> | undefined>(undefined)

/** Reads the instruments, and keeps them up to date while the component stands. */
export function useReadInstruments (): void {
  const client = useClient()
  useEffect(() => repeat(async signal => {
    try {
      const { symbols } = await ask<{ readonly symbols: readonly Instrument[] }>(client, 'v1/symbols')
      if (!signal.aborted) keep(symbols)
      return AGAIN_MS
    } catch {
      // The connection indicator says that there is no network.
      return RETRY_MS
    }
  }), [client])
}

function keep (symbols: readonly Instrument[]): void {
  const known = instruments.get()
  const isSame = known?.size === symbols.length &&
    symbols.every(instrument => JSON.stringify(known.get(instrument.symbol)) === JSON.stringify(instrument))
  if (!isSame) instruments.set(new Map(symbols.map(instrument => [instrument.symbol, instrument])))
}

export const useInstruments = (): ReadonlyMap<string, Instrument> | undefined => useStore(instruments)

export const useInstrument = (symbol: string | undefined): Instrument | undefined =>
  useInstruments()?.get(symbol ?? '')
