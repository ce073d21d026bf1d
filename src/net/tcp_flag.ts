/**
 * The flags of TCP.
 * @module
 */

/** TCP flag bits (RFC 9293, section 3.1), as in byte 13 of the header. */
export const TCP_FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const;
