/**
 * Has V8 compile a program, and keeps what it made: `deno run … code_cache.js PROGRAM OUTPUT`
 * @module
 */
import vm from "node:vm";

const [program = "", output = ""] = Deno.args;
const script = new vm.Script(Deno.readTextFileSync(program), { filename: "portsnare.js" });
Deno.writeFileSync(output, script.createCachedData());
