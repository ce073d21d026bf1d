/**
 * Where the IP header begins behind the link-layer header of a captured packet.
 * @module
 */

/** LINKTYPE_ numbers of tcpdump's registry; some systems write their own DLT_ number for raw IP. */
const LINK = {
  null: 0,
  ethernet: 1,
  ppp: 9,
  rawBsd: 12,
  rawOpenBsd: 14,
  pppHdlc: 50,
  raw: 101,
  loop: 108,
  linuxCooked: 113,
  ipv4: 228,
  ipv6: 229,
  linuxCooked2: 276,
} as const;

/** Why there is no IP header to be found. */
export type NoNetworkLayer = "not-ip" | "unsupported";

const ETHER = { ipv4: 0x0800, ipv6: 0x86dd, pppoe: 0x8864, snapLimit: 0x0600 } as const;
/** 802.1Q, 802.1ad, and two older numbers for the outer tag. */
const VLAN_TYPES: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100, 0x9200]);
/** The most that switches nest. */
const MAX_TAGS = 8;

/** The offset of the IP header, or why there is none. Any bytes are allowed. */
export function networkLayerOffset(linkType: number, bytes: Uint8Array): number | NoNetworkLayer {
  switch (linkType) {
    case LINK.ethernet:
      return behindEtherType(bytes, 12);
    case LINK.linuxCooked:
      return behindEtherType(bytes, 14);
    case LINK.linuxCooked2:
      return behindCooked2(bytes);
    case LINK.raw:
    case LINK.rawBsd:
    case LINK.rawOpenBsd:
    case LINK.ipv4:
    case LINK.ipv6:
      return ipAt(bytes, 0);
    case LINK.null:
    case LINK.loop:
      // The address family in the byte order of whoever captured; the IP version behind it says the same.
      return ipAt(bytes, 4);
    case LINK.ppp:
    case LINK.pppHdlc:
      return behindPpp(bytes, bytes[0] === 0xff ? 2 : 0);
    default:
      return "unsupported";
  }
}

/** In cooked v2 the type stands first and the header is 20 bytes; tags, if any, follow the header. */
function behindCooked2(bytes: Uint8Array): number | NoNetworkLayer {
  const type = at16(bytes, 0);
  if (VLAN_TYPES.has(type)) return behindEtherType(bytes, 22);
  return type === ETHER.ipv4 || type === ETHER.ipv6 ? ipAt(bytes, 20) : "not-ip";
}

/** `at`: where the first EtherType stands. */
function behindEtherType(bytes: Uint8Array, at: number): number | NoNetworkLayer {
  let place = at;
  for (let tags = 0; VLAN_TYPES.has(at16(bytes, place)); tags++) {
    if (tags === MAX_TAGS) return "not-ip";
    place += 4;
  }
  const type = at16(bytes, place);
  if (type === ETHER.ipv4 || type === ETHER.ipv6) return ipAt(bytes, place + 2);
  if (type === ETHER.pppoe) return behindPpp(bytes, place + 8);
  return type < ETHER.snapLimit ? behindSnap(bytes, place + 2) : "not-ip";
}

/** An 802.3 frame with a SNAP header (RFC 1042). */
function behindSnap(bytes: Uint8Array, at: number): number | NoNetworkLayer {
  const isSnap = at16(bytes, at) === 0xaaaa && at16(bytes, at + 2) === 0x0300 && bytes[at + 4] === 0;
  const type = at16(bytes, at + 6);
  return isSnap && (type === ETHER.ipv4 || type === ETHER.ipv6) ? ipAt(bytes, at + 8) : "not-ip";
}

/** PPP protocol numbers (RFC 1332, RFC 5072). */
function behindPpp(bytes: Uint8Array, at: number): number | NoNetworkLayer {
  const protocol = at16(bytes, at);
  return protocol === 0x0021 || protocol === 0x0057 ? ipAt(bytes, at + 2) : "not-ip";
}

function ipAt(bytes: Uint8Array, offset: number): number | NoNetworkLayer {
  const version = (bytes[offset] ?? 0) >>> 4;
  return version === 4 || version === 6 ? offset : "not-ip";
}

function at16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}
