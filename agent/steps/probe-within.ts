import { FraisierError } from '../../proto/error-codes.js';
import { misconfigured, unhealthy } from './judge-health.js';
import type { Verdict } from './judge-health.js';

/**
 * One look with its time limit: whatever keeps it from an answer is a verdict. Ends within `limitMs` even if `look` does not
 * mind its signal. Throws only when `signal` aborts.
 */
export async function within(
  look: (signal: AbortSignal) => Promise<Verdict>,
  limitMs: number,
  signal: AbortSignal,
): Promise<Verdict> {
  const late = AbortSignal.timeout(Math.max(1, limitMs));
  const stopped = AbortSignal.any([signal, late]);
  try {
    stopped.throwIfAborted();
    return await Promise.race([look(stopped), rejection(stopped)]);
  } catch (error) {
    signal.throwIfAborted();
    return late.aborted ? unhealthy(`no answer within ${limitMs} ms`) : verdictOf(error as Error);
  }
}

/** Dies with its signal, which nobody else keeps. */
function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, refuse) => {
    signal.addEventListener('abort', () => refuse(signal.reason as Error), { once: true });
  });
}

/** What kept a look from an answer: most of it may be over the next time, but not a name or a certificate that is wrong. */
export function verdictOf(error: Error): Verdict {
  const cause: Error = error instanceof AggregateError ? (error.errors[0] as Error) : error;
  if (cause instanceof FraisierError) return misconfigured(cause.message, cause.reason.hint);
  const code = 'code' in cause ? String(cause.code) : '';
  if (code === 'ENOTFOUND') {
    return misconfigured(
      `${cause.message}: this host knows no such name`,
      'correct the name in health_check, or make it known to the host (DNS or /etc/hosts)',
    );
  }
  if (code === 'CERT_HAS_EXPIRED') {
    return misconfigured(`its certificate is not trusted: ${cause.message}`, 'renew the certificate');
  }
  if (UNTRUSTED.test(code)) {
    return misconfigured(
      `its certificate is not trusted: ${cause.message}`,
      'name its authority in health_check.tls.ca_file, or the name in the certificate in health_check.tls.server_name',
    );
  }
  return unhealthy(cause.message);
}

/** OpenSSL's words for a chain that does not hold, and Node's for a name that is not the certificate's. */
const UNTRUSTED =
  /^(?:ERR_TLS_CERT_ALTNAME_INVALID|CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH)/;
