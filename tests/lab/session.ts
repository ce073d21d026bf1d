/**
 * Somebody who is logged in: an HTTP connection to a service of the lab that stays open, in place of SSH.
 * @module
 */
import type { Host } from "./lab.ts";

/** Longer than the kernel waits before it sends again what got lost. */
const PATIENCE_MS = 3000;

/** A connection that stays open. Disposing it closes it. */
export interface Session extends Disposable {
  /** Whether a request on it is still answered. */
  echoes(): Promise<boolean>;
}

/** Log in from `client`; the service must be one of {@link serve}. Rejects when the session does not work. */
export async function openSession(
  client: Host,
  to: { readonly address: string; readonly port: number },
): Promise<Session> {
  const open = await client.inside(() => connect(to));
  const reader = open.readable.getReader();
  const echoes = async (): Promise<boolean> => {
    await open.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const answer = await Promise.race([
      reader.read(),
      new Promise<undefined>((resolve) => timer = setTimeout(() => resolve(undefined), PATIENCE_MS)),
    ]);
    clearTimeout(timer);
    return answer?.value !== undefined;
  };
  const hangUp = (): void => void reader.cancel().catch(() => {});
  // A client of SSH speaks at once, too; before that it is nobody's session.
  if (!await echoes()) {
    hangUp();
    throw new Error(`${to.address} port ${to.port} does not answer`);
  }
  return { echoes, [Symbol.dispose]: hangUp };
}

/** The socket is made at the call, in the host where that happens. */
function connect(to: { readonly address: string; readonly port: number }): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: to.address, port: to.port });
}
