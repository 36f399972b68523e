import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { type Config, ConfigError } from './config.js'

/** The paths of a certificate and its key, in PEM. */
export interface KeyPairFiles {
  /** The certificate, followed by those between it and the authority's. */
  readonly cert: string
  readonly key: string
}

/** A certificate and its key, which belong together. */
export interface KeyPair {
  readonly cert: Buffer
  readonly key: Buffer
  /** The end of the certificate's validity, in the words of the certificate. */
  readonly validTo: string
}

/** Returns the files that the settings name; undefined if the server speaks plain HTTP. */
export function keyPairFiles ({ TLS_CERT: cert, TLS_KEY: key }: Config): KeyPairFiles | undefined {
  return cert === undefined || key === undefined ? undefined : { cert, key }
}

/** Reads and checks a certificate and its key. @throws ConfigError that says which file is wrong, and why */
export async function readKeyPair (files: KeyPairFiles): Promise<KeyPair> {
  const [cert, key] = await Promise.all([read('TLS_CERT', files.cert), read('TLS_KEY', files.key)])
  const certificate = parsed(() => new X509Certificate(cert),
    `TLS_CERT: ${files.cert} does not begin with a certificate in PEM`)
  const privateKey = parsed<KeyObject>(() => createPrivateKey(key),
    `TLS_KEY: ${files.key} is not a private key in PEM without a passphrase`)
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new ConfigError(`TLS_KEY: ${files.key} is not the key of the certificate in ${files.cert}`)
  }
  parsed(() => createSecureContext(tlsOptions({ cert, key })),
    `TLS_CERT: ${files.cert} cannot be used: a certificate in it is cut off, or too weak`)
  return { cert, key, validTo: certificate.validTo }
}

/** Returns the options with which this server speaks TLS. */
export function tlsOptions ({ cert, key }: Pick<KeyPair, 'cert' | 'key'>): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.3' }
}

async function read (name: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (error) {
    throw new ConfigError(`${name}: ${file} cannot be read ` +
      `(${(error as NodeJS.ErrnoException).code ?? 'unknown'})`)
  }
}

function parsed<Value> (parse: () => Value, fault: string): Value {
  try {
    return parse()
  } catch {
    throw new ConfigError(fault)
  }
}
