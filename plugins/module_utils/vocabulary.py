"""Words that are known to be harmless: what is none of them, and no name of the catalogs, is removed.

Most are of PostgreSQL's own messages, the others of this runbook's, of systemd and of Python servers. No word that
people say of themselves or of each other belongs here.
"""

from __future__ import annotations

import builtins

from psycopg2 import errorcodes

_WORDS = """
a abandoning abbreviation abbreviations abi able abnormal abnormally abort aborted aborting about above absent
absolute accept accepted accepting accepts access accessed accesses accessor accidentally accompanying accumulate
acl aclinsert aclremove acquire acquired across action actions activating active activeentertimestamp activestate
activity actual add added address addresses adequate admin administrative administrator administrators adminpack
advance advanced advertising advisory affect affected affects afffile affix after aftermath afterwards again against
age aggregate aggregated aggregates aggregation aggressive aggressively ago ahead ai aimemory algorithm alias
aliases alignment alike alive all allocate allocating allocation allow allowed allows alone along already also alter
altering alternating always ambiguous among amount amounts an analyzable analyze analyzing ancestor and anew
anonymous another ansible answer answered answers antivirus any anyarray anycompatible anycompatiblearray
anycompatiblemultirange anycompatiblenonarray anycompatiblerange anyelement anyenum anymore anymultirange
anynonarray anyrange anywhere apart api app apparent appear appears append applicable application applied applies
apply applying appropriate approximate approximately apt arbiters archival archive archived archiver archiving are
aren args argument arguments around array arrays arrive arrived as asc ascii asgi ask asks aslr asn assertion assign
assigned assigning assignment assignments associated assumes assumption async asynchronous asyncio asyncstatus at
atomic attach attached attaching attempt attempting attempts attribute audit authenticate authenticated
authentication authenticationsaslfinal authenticator authid authority authorization authorized auto automatic
automatically autovacuum avail available average averages avg avoid avoided aware away axis back backed backend
backfill background backreference backslash backslashes backtrace backup backups backward backwards bare base
basebackup based basetype bash basic batch batches be became because become becomes becoming been before beforehand
began begin beginning begins begun behavior behind being belong belonging belongs below beside between beyond
bgwriter bigint billion bin binary bind binding binned bio bit bitcode bitmap bits bkpblock bkpimage blank blcksz
block blocked blocks bodies body bool boolean boot booting bootstrap bootstrapping both bound boundaries bounded
bounds box brace bracket break breaks bridge bridges brin bring broken brought bsd btree buffer buffers buffile bug
buggy bugs build building builds built builtin busy but by bypass bypassed bypassing bypassrls byte bytea bytes
byval c cache cached caches calculate calculated calendar call callable callback called caller callers calling calls
came can cancel canceled canceling candidate candidates cannot canonical canonicalization capitalize capitals
capture carriage carried cascade cascaded cascades case cast casts catalog catalogs catch category cause caused
causes cert certificate certificates change changed changes changing channel char character characters check checked
checking checkpoint checkpointed checkpointer checkpoints checks checksum checksums child chmod choose chooses
chosen chunk cidr cipher ciphers ciphersuite circle circular class classes classification clause clauses cleaned
cleaning cleanup clear cleared clearing client clientcert clientname clients clock close closed closing cluster
clustered clustering cn coalesce code codeset coerced coercible coercion collapsed collatable collate collation
collations collator collect collection collector collects column columns combination combinations combine combined
combining come comes comma command commandcomplete commanded commands commas comment comments commit committed
committing common commutative commutators compare compared comparison compatibility compatible compilation compiled
complete completed completion complex component composite compress compressed compresses compressible compression
compromise compromises computation compute computed concatenate concatenation concurrency concurrent concurrently
condition conditional conditions conf confidentiality config configuration configured configuring confirm confirmed
conflict conflicting conflicts conforming connect connected connecting connection connections conninfo consecutive
consequence consider considered consist consistency consistent constant constants constrained constraint constraints
construct constructed constructor constructs consult consumed consumption contact contain containing contains
content contention contents context contexts contiguous continuation continue continues continuing contradicts
contrecord control controls conv conventions conversion convert converted converter copied copies copy copying core
correct correctly corresponding corrupt corrupted corruption cost could count counted counter counts cover covers
cpu crash crashes crc create created createdb createfilemapping createprocess createrole creating creation
credentials critical cross crypt cstring csv csvlog cte ctid ctype cube cumulative cured cures current currently
currval cursor cursors curve custom customary customized cut cutoff cutover cve cycle cyclic damaged data database
databases datadir datatype datatypes date dated dates datestyle datetime datetimes datetoken datfrozenxid datum day
days db dbghelp dbl dbname deactivated deactivating dead deadlock debian debug debugger debugging decimal
declaration declarations declare declared decoding decompress deconstruct decreasing decrypt deduced default
defaulting defaults defer deferrability deferrable deferred define defined definer defining definition definitions
delay delete deleted deletes deleting deletion delimited delimiter denied denote depend dependencies dependency
dependent dependents depending depends deploy deprecated depth derived derives desc describe describes description
descriptor descriptors deserialization desired destination destroy destroyed detach detached detaching detail
details detected detection determine determined dev developer dh diagnostics dictfile dictionary did diff differ
difference different differing differs digest digit digits dimension dimensional dimensionality dimensions dir
direct directly directories directory dirtied disable disabled disables disabling disagree disallow disallowed
disappeared disassociate disconnection disk displacement display displayed displaying displays dissimilar dist
distance distinct distinguished divisible division dll dmy dn dns dnsserviceregister do document documentation
documents does doesn doing dollar domain domains done dots dotted double down downtime drained driver drop dropped
dropping drops dry dsa dsn dt due dump dumped dumps duplicate duplicated duplicatehandle duplicates duration
durations during dynamic dynamically e each earlier early ecdh echo eeee effect effective efficiently effort either
elapsed element elements eligible else embedded embeddings emit emits emptied empties empty en_us enable enabled
enables encode encoded encoding encodings encountered encrypt encrypted encrypting encryption end ended ending
endpoints ends enforce enforcement enforcing engine english enlarge enough ensure ensures ensuring enter entering
entries entry enum enumerating environment eof epoch eq equal equality equally equivalent error errors escape
escaped escapes establish estimate estimated estimates estimator etc evaluates even event eventlog events every
everything evidence exact exactly examine example exceed exceeded exceeding exceeds except exception
exceptionalcondition excess exchange exclude excluded exclusion exclusive exec execmaincode execmainstatus
execstatustype executable execute executed executing execution executor exempt exhaustive exist existence existing
exists exit exited exiting expand expanded expansion expect expected expects expensive expired explain explicit
explicitly export exported expr expression expressions extend extended extensible extensiblenodemethods extension
extensions external extra extract facilitate facilities facility factor factorial facts fadvise fail failed failing
fails failsafe failure failures false families far fast fastapi fastpath fatal fdatasync feature feedback fetch
fetched fetching few fewer ff field fields file filename files fileset filesystem filling filter filters final
finalize find finding findings finds finish finished finite fire fired first fit fix fixed fixing flag flags flatten
flattened float floating flush flushed flushes flushing fm follow followed following for forbid forbidden force
forced forces forcing foreign fork forked forking form format formats formatted formatting forward found fourth
fraction fractional fragmentpath fragments frame free freeze frequently fri from frontend fs fsm fsync full fully
func funcname function functionality functions further future garbage gather gb gcc generate generated generates
generating generation generator generic geometric geqo get getrlimit gets gettoken gin gist give given gives giving
global globally gnu go goal goes got grant granted grantor greater gregorian group grouped grouping groups gss
gssapi gssencmode gtsvector guarantee guide gunicorn gzip had handle handled handler handling hands hardware has
hash hashable hashed hashing hashtextextended having hba head header headers headline healthy heap held help here
hexadecimal hierarchies higher history hits hnsw hold holdable holding holds hole holes home host hostaddr
hostgssenc hostname hosts hostssl hostvars hour hours how however http https huge hypothetical icu id ident
identifier identifiers identify identity idle ids idx if ignore ignored ignoring ilike image images immediate
immediately immutable implement implementation implemented implements implicit import importing impose improper in
inactive inactiveentertimestamp include included includes including inclusive incoming incompatible incompatibly
incomplete inconsistent incorrect increase increasing increment incremental indents independent index indexed
indexes indexing indicate indicated indicates indication indicative inequality inet inference infinite infinity info
information inherit inheritance inherited inherits init initdb initial initialization initialize initialized
initializing initially initiate inline inlining inner inout input inputs insecure insensitive insert inserting
insertion inserts inside install installation installed installing instead instruction instructs insufficient int
integer integrity intended interactive interface interfaces interfering internal interpret interpretation
interpretations interpreting interrupted intersect interval intervals into introduce invalid invalidated
invalidating invalidly inventory inverse invisible invocation invoker involve involved io ip ipv ipv4 ipv6 is isn
iso isolate isolation ispell issues issuing it item items iteration iterations iterative its itself ivfflat jit job
join joinable joins journal journalctl json jsonb jsonlog jsonpath junction junk just kb keep keepalive keepalives
keeps kept kerberos kernel kernels key keygen keys killing kilobytes kind know known label labels lacks language
languages laptop large largeobject larger largest last lastval later lateral latest launched launcher layer layout
lc ldap ldapbasedn ldapbinddn ldapbindpasswd ldapprefix ldaps ldapscheme ldapsearchattribute ldapsearchfilter
ldapsuffix ldapurl lead leader leads leaf leaked leakproof leap least leave leaves left leftover length lengths less
let letters level levels levenshtein lexeme lexemes lexize lextypes lib libc libpq libraries library libxml lifespan
lightweight like likely limit limited limits line lines link linked links linux list listed listen listener
listening listens lists literal literally literals lives llvm lo load loadable loaded loadstate loblksize local
locale locales localized locally locate location locations lock locked locking locks locktag log logarithm logged
logger logging logical login logins logs long longer longest look looked looking looks lookup loop loss lossy lost
low lower lowering lru lseek lsn macaddr machine made magic main mainpid maintenance make makes making malformed
management manager mandatory manifest manipulate manual manually many map mapping maps mapviewoffileex mark marked
marker markpos mask master match matched matches matching materialization materialize materialized max maxalign
maxallocateddescs maxfragments maximum maxlisten maxvalue maxwords may mb md md5 mean meaning means meant meanwhile
measured mechanism mechanisms meets mem member members membership memberships memoization memories memory mend merge
merging message messages method methods metrics mfinalfunc mgmt microseconds might migrate migrated migration
millisecond milliseconds min minimal minimum minitcond minor minute minutes minvalue minvfunc minwords
misconfiguration mismatch mismatched misplaced missed misses missing mix mixing mode model modification
modifications modified modifier modifiers modify modifying module modules modulus mon monitoring more most mounted
move moved moving ms msfunc msspace mstype much multi multibyte multicolumn multidimensional multiple multiply
multirange multiranges multithreaded multivariate multixact multixactid multixactids multixacts munmap must mutable
mutual mutually mxids name named namedatalen namely names namespace naming nan narrow natural nbuffers near nearest
necessary need needdaemonreload needed needs negative negator negators negotiation neither nested nesting netmask
network never new newer newline newly next nextoid nextval no nobypassrls nocreaterole node nodes non nonblocking
nonce nondeterministic none nonessential nonnull nonremovable nonsequentially nonstandard nonzero nor noreplication
normalization normally not notation note noted notes nothing notice notification notifications notify now nrestarts
nth ntile ntstatus null nullable nullif nulls num number numbered numbers numeric obeys object objects obsolete
obstacle obtain obtained occupied occur occurred occurring occurs octal octet odd of off offer offered offset oid
oids oidvector ok old older oldest omit on once one ones oneshot ongoing online only oom op opclass open opened
opening openssl operand operated operating operation operations operator operators opfamily opt optimal optimization
optimize optimizer option options or order ordered ordering ordinal ordinality ordinary origin original origins
orphan other others otherwise out outage outcome outcomes outer outgoing output outside over overall overflow
overflows overlap overlaps override overriding oversize overwrites overwritten own owned owner ownership owning owns
package packages packet padding page pageaddr pages pair pairs pam panic parallel parameter parameterless parameters
parentheses parenthesis parse parsed parser parsers parsing part partial partially particular partition partitioned
partitioning partitions partitionwise parts pass passbyval passed passes passing passphrase passphrases password
passwords past patch path paths pattern patterns paused pausing payload pc pcent peer penalty pending per percent
percentage percentile perf perform performance performed performing perhaps permanent permission permissions
permissive permitted persistence personality pg pgdata pgresult pgsql pgvector phase phases phrase physical
physically picksplit pid pinned pipe pipeline pl place placed places plain plan planned planner planning plans
platform platforms plausible play playbook playbooks please plpgsql plugin plugins plus point pointer pointers
points policies policy poll polygon polymorphic populated population port portal ports position positional
positioned positive posix possible possibly post postfix postgres postgresql posting postmaster potential powerusers
pqexec pqgetint pqgetline pqputint pr pre preceding precise precision pred predicate predicates prefetch prefix
prefixed preflight preload preloading prepare prepared prepares preparing prerequisites presence present preset
pressure prev prevent prevents previous previously primary prime principal print printable prints prior priority
privilege privileges probably probe probed problem problems procedural procedure procedures proceed process
processes processing processor procsignalbarrier produces profiler profiles program programs progress prohibits
project promote promoted promotion proof propagate propagated proper properly properties property proposed
protections proto protocol proved proven provide provided provider providers provides provision pruning pseudo psql
psycopg psycopg2 public publication publications publish published publisher publishes purposes put py python
python3 qualifications qualified queries query queue quickly quiet quorum quote quoted quotes radius raise raised
raises random range rate rdbms re reach reached reaches reaching read readable reading reads ready real realm
realpath rearranging reason reasons reassign rebuild receive received receiver recent recheck rechecking recognized
recompile reconciled reconfigure reconnect record recorded recording records recover recovered recovering recovery
recreate recursion recursive recursively recycled recycles recycling redefine redirect redirecting redo reduce
reduced reducing redundant refer reference referenced references referencing referential refresh refuse refused
regconfig regex regexp region register registered registration regular regularly rehearsal rehearse reindex
reindexed reindexing reinitialize reinitializing rejected rejects rel related relation relations relationships
relative relaxed release released releases relfilenode relfrozenxid relminmxid reload reloaded reloading relocatable
relpath relseg reltuples remain remainder remaining remedy remnant remote removable removal remove removed removes
removing rename renamed renaming renegotiation reopen reorder reorderbuffer repeat repeatable repeated replace
replaced replay replayed replica replicate replicated replication replslot report reported reporting reports
represent representation request requested requests require required requirement requirepeer requires reserve
reserved reset resetting resize resolution resolve resolved resource resources respective respond response rest
restart restarted restarting restartpoint restore restored restoring restricted restriction restrictions restrictive
result resulting results resume retransmits retried retrieve retrieved retrieving retry retrying return returned
returning returnmode returns reusable revert revocation revoke revoked rewind rewrite rewritten rhost right rights
rls role roles roll rollback rolled root rotate rotated rotation round rounded rounds route routine row
rowexclusivelock rows rtree rule rules run runbook runner running runs rw rwconflictpool rwx rx s safe safely salt
same sample sampling sasl sat saved savepoint savepoints scalar scalars scale scan scanned scanning scans scheduled
schema schemas scheme scm scope scores scram scratch script scroll scrollable search searches searching second
secondary seconds secret secrets security see seed seek seems seen segment segments select selectattr selected
selection selective selectivity selects semantic semaphore semaphores semget semmni semmns semvmx send sender
senders sending sent sentence sentences separate separated separator separators sequence sequences sequential
sequentially serial serializable serialization serialize serve server servers service session sessions set setlocale
setof sets setseed setting settings setup setval several severity sfunc sh sha sha256 shape share shareable shared
sharedfileset sharing shell shmall shmemindex shmget shmmax shmmin shmmni short shortword should show showed shows
shrink shut shutdown shutting sid side sides sids sighup sigint sigkill sign signal signaled signature sigquit
sigstop sigterm similar simple simply simultaneous simultaneously since single site size sized sizeof sizes skip
skipped skipping skips slash sleep slice slices slot slots slowness small smallint smart smoke snapbuild snapshot
snapshots sni snowball so socket sockets software some something sort sortable sorting sorts source sp space
spawning special specific specification specifications specified specifier specifies specify specifying speculative
spelling spells spi spill spilling split sql sqlstate square srv ssl sslmode sslpassword sspi stack stale stamp
stamps standalone standard standby standbys stands star starlette start started starting starts startup stat state
statement statements statistics stats status stays stderr stdin stdout steady stemmer step steps still stop stopped
stopping stopwords storage store stored stores stranger strategies strategy stream streamed streaming strftime
strict strictness stride string strings structure style stype sub subcommands subdictionary subdirectory
subexpressions subfield subject subplans subprocess subqueries subquery subscribe subscribed subscribers subscript
subscripted subscripting subscription subscriptions subscripts substate substitute substituting substring subsystem
subtract subtransaction subtransactions subtype subxact succeed succeeded success successful successfully such sudo
sufficient suitable sum summaries summarization sun superuser superusers supplied supplies support supported
supports suppress suppression surrogate suspending swap swapped switch switches switching switchpoint symbol
symbolic sync syncfs synchronization synchronize synchronized synchronizing synchronous syncing synonym synonyms
syntax syscall sysid sysinit syslog system systemctl systemd t table tables tablesample tablespace tablespaces tag
take taken takes tar target targets task tb tblspc tcp tell tells temp template templates temporarily temporary
tenancy tenant tenants term terminate terminated terminating termination terminator test testing text textdomain
textual than that the then there thesaurus these thinks this those threshold thresholds through thu tid tied ties
time timed timeline timeout timers times timestamp timestamps timestamptz timetz timezone timing timings title tls
tmp to toast together token tokens told too total touched traceback tracing track tracking trailing transaction
transactions transform transiently transition translate translated transport treat treated treatment treats tree
tried tries trigger triggered triggers trim true truncate truncated truncating truncation trusted tsquery tsvector
tue tuning tuple tuples tuplestore turn turned turning turns twice two type typed types typmod tz ubuntu uescape
ulimit umask unable unacceptable unaffected unambiguously unary unbegun unbind unbounded uncached unchanged unclosed
uncollected unconditional unconditionally undefined under underflow underlying underscore undo undone unencrypted
unequal unexpected unexpectedly unfinished ungrouped unhandled unicode union unique uniqueness unit unitfilestate
units unix unknown unless unlink unlisted unlisten unlock unlogged unmap unmatched unnamed unnest unpaused
unprivileged unqualified unquoted unreachable unrecognized unreserved unsafe unsafestateerror unset unsuccessful
unsupported unterminated until untrusted unused unwrap up updatable update updated updates updating upgrade
upgrading upon upper upsert upstream uri url urls usable usage use used useless user usermap users uses using usr
usual usually utc utf utf8 utility uvicorn uvicornworker uxxxx uxxxxxxxx vacuum vacuumed vacuuming vacuums valid
validate validated validation validator value valued values var variable variables variadic variant various vars
varying vault vector verbosity verification verified verify version versions versus via view views violate violated
violates violation virtual vm void volatile volume wait waiting waits wal walreceiver walsender warning was watch
way ways wchar wed well were what whatever when whence whenever where whether which while who whoever whole whose
why wide width wildcard will window windows with within without wldap word words wordwrap work worked worker workers
working works workspaces would wraparound wrapper wrapstring write writer writes writing written wrong wrote
wsastartup wsgi x86 x86_64 xact xid xids xl xlog xmin xml xmlchar xmlserialize xmltable xmlvalidate xor xpath xqs
xquery xx xxxx xxxxxx yes yet yield yields yml yyy zero zeroes zeroing zone zoned zones zstd
"""
WORDS = frozenset(_WORDS.split())

# Key words of SQL, common types and functions.
_KEYWORDS = """
abort absolute access action add admin after aggregate all also alter always analyse analyze and any array
array_agg as asc asensitive assertion assignment asymmetric at atomic attach attribute authorization avg
backward before begin between bigint bigserial binary bit bool boolean both breadth by bytea cache call
called cascade cascaded case cast catalog chain char character characteristics check checkpoint class
clock_timestamp close cluster coalesce collate collation column columns comment comments commit committed
compression concat concurrently configuration conflict connection constraint constraints content continue
conversion copy cost count create cross csv cube current current_catalog current_date current_role
current_schema current_setting current_time current_timestamp current_user cursor cycle data database day
deallocate dec decimal declare default defaults deferrable deferred definer delete delimiter delimiters
depends depth desc detach dictionary disable discard distinct do document domain double drop each else
enable encoding encrypted end enum epoch escape event except exclude excluding exclusive execute exists
explain expression extension external extract false family fetch filter finalize first float float8
following for force foreign format forward freeze from full function functions gen_random_uuid generated
global grant granted greatest group grouping groups handler having header hold hour identity if ilike
immediate immutable implicit import in include including increment index indexes inherit inherits initially
inline inner inout input insensitive insert instead int int4 int8 integer intersect interval into invoker is
isnull isolation join json_agg json_build_object jsonb jsonb_build_object key label language large last
lateral leading leakproof least left length level like limit listen load local localtime localtimestamp
location lock locked logged lower mapping match matched materialized max maxvalue merge method min minute
minvalue mode month move name names national natural nchar new next nfc nfd nfkc nfkd no none normalize
normalized not nothing notify notnull now nowait null nullif nulls numeric object of off offset oids old on
only operator option options or order ordinality others out outer over overlaps overlay overriding owned
owner parallel parameter parser partial partition passing password pgcrypto placing plans plpgsql policy
position preceding precision prepare prepared preserve primary prior privileges procedural procedure
procedures program publication quote range read real reassign recheck recursive ref references referencing
refresh regclass reindex relative release rename repeatable replace replica reset restart restrict return
returning returns revoke right role rollback rollup routine routines row rows rule savepoint schema schemas
scroll search second security select sequence sequences serial serializable server session session_user set
set_config setof sets share show similar simple skip smallint snapshot some sql stable standalone start
statement statistics stdin stdout storage stored strict string_agg strip subscription substring sum support
symmetric sysid system table tables tablesample tablespace temp template temporary text then ties time
timestamp timestamptz to to_char to_regclass trailing transaction transform treat trigger trim true truncate
trusted type types uescape unbounded uncommitted unencrypted union unique unknown unlisten unlogged until
update upper user using uuid vacuum valid validate validator value values varchar variadic varying verbose
version view views volatile when where whitespace window with within without work wrapper write xml
xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize
xmltable year yes zone
"""
KEYWORDS = frozenset(_KEYWORDS.split())

# PostgreSQL's codes of errors, and of success.
SQLSTATES = {"00000", *(code for code in vars(errorcodes).values() if isinstance(code, str) and len(code) == 5)}

# Names of Python's exceptions, and of psycopg2's: those of the DB API, and those made of PostgreSQL's names of errors.
_DB_API = "DatabaseError DataError Error IntegrityError InterfaceError InternalError NotSupportedError OperationalError"
EXCEPTIONS = {
    *(name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)),
    *(name.title().replace("_", "") for name in vars(errorcodes) if name.isupper()),
    *_DB_API.split(),
    "ProgrammingError",
}
