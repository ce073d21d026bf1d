/**
 * Which portsnare this is.
 * @module
 */

/** The version, as in debian/changelog. */
export const VERSION = "1.0.0";

/** How this program was put together; `make build` writes something else here. */
export const BUILD: string = "source";
