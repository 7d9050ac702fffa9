"""data/fetch.sh: a copy of it that gets small files from this machine."""

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from program import ProgramTest, main

SCRIPT = Path(__file__).resolve().parents[2] / "data" / "fetch.sh"
BATCHES = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
FILES = {
    "cifar10": {name: name.encode() for name in BATCHES},
    "cifar100": {"train.bin": b"training", "test.bin": b"test"},
    "mnist": {
        f"{part}-{kind}-ubyte": f"{part} {kind}".encode()
        for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
    },
}
ARCHIVE_FOLDERS = {"cifar10": "cifar-10-batches-bin", "cifar100": "cifar-100-binary"}
TOOLS = "bash dirname gunzip gzip mkdir mktemp mv rm sha256sum tar".split()


def tar_gz(folder, files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class FetchTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.sources = []
        (self.folder / "data").mkdir()
        (self.folder / "source").mkdir()
        (self.folder / "tools").mkdir()
        shutil.copy(SCRIPT, self.folder / "data" / "fetch.sh")

    def offer(self, name, content, file, url=None):
        """Puts a file at a source and lists it with its SHA-256."""
        self.write(f"source/{file}", content)
        url = url or f"file://{self.folder}/source"
        self.sources.append(f"{name} {hashlib.sha256(content).hexdigest()} {url}/{file}\n")
        self.write("data/fetch_sources.txt", "# Set, SHA-256, address\n" + "".join(self.sources))

    def offer_set(self, name, url=None):
        if name in ARCHIVE_FOLDERS:
            self.offer(name, tar_gz(ARCHIVE_FOLDERS[name], FILES[name] | {"readme.html": b""}), f"{name}.tar.gz", url)
        else:
            for file, content in FILES[name].items():
                self.offer(name, gzip.compress(content), f"{file}.gz", url)

    def path_with(self, *tools):
        """A PATH of what the script needs and `tools`; skips where the machine lacks one."""
        for tool in (*TOOLS, *tools):
            if not shutil.which(tool):
                self.skipTest(f"{tool} is not installed")
            (self.folder / "tools" / tool).symlink_to(shutil.which(tool))
        return str(self.folder / "tools")

    def fetch(self, *arguments, **options):
        return subprocess.run(["bash", "data/fetch.sh", *arguments], cwd=self.folder, capture_output=True, text=True,
                              timeout=60, **options)

    def assert_has(self, folder, files):
        found = {path.name: path.read_bytes() for path in (self.folder / folder).iterdir()}
        self.assertEqual(found, files)

    def test_sets_are_downloaded_checked_and_unpacked(self):
        path = self.path_with("curl")
        for name, files in FILES.items():
            with self.subTest(name):
                self.offer_set(name)
                done = self.fetch(name, env={"PATH": path})
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assert_has(f"data/{name}", files)

    def test_another_folder_may_have_spaces(self):
        self.offer_set("mnist")
        done = self.fetch("mnist", "my sets/mnist", env={"PATH": self.path_with("curl")})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_has("my sets/mnist", FILES["mnist"])

    def test_wget_does_where_there_is_no_curl(self):
        path = self.path_with("wget")
        handler = partial(QuietHandler, directory=self.folder / "source")
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.addCleanup(server.shutdown)
            self.offer_set("mnist", f"http://127.0.0.1:{server.server_port}")
            done = self.fetch("mnist", env={"PATH": path})
            server.shutdown()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_has("data/mnist", FILES["mnist"])
        (self.folder / "tools" / "wget").unlink()
        done = self.fetch("mnist", "other", env={"PATH": path})
        self.assertEqual(done.returncode, 1)
        self.assertIn("needs curl or wget", done.stderr)

    def test_a_second_run_does_nothing(self):
        path = self.path_with("curl")
        self.offer_set("cifar10")
        self.assertEqual(self.fetch("cifar10", env={"PATH": path}).returncode, 0)
        shutil.rmtree(self.folder / "source")
        done = self.fetch("cifar10", env={"PATH": path})
        self.assertEqual((done.returncode, done.stdout), (0, "cifar10 is in data/cifar10\n"))
        archive = self.folder / "unpacked" / "cifar-10-batches-bin"
        shutil.copytree(self.folder / "data" / "cifar10", archive)
        done = self.fetch("cifar10", "unpacked", env={"PATH": path})
        self.assertEqual((done.returncode, done.stdout), (0, "cifar10 is in unpacked/cifar-10-batches-bin\n"))

    def test_only_missing_files_are_added(self):
        self.offer_set("cifar100")
        (self.folder / "data" / "cifar100").mkdir()
        self.write("data/cifar100/test.bin", b"mine")
        self.write("data/cifar100/notes.txt", b"mine")
        self.assertEqual(self.fetch("cifar100", env={"PATH": self.path_with("curl")}).returncode, 0)
        self.assert_has("data/cifar100", {"train.bin": b"training", "test.bin": b"mine", "notes.txt": b"mine"})

    def assert_fails_and_leaves_nothing(self, name, *words):
        if not (self.folder / "tools" / "curl").exists():
            self.path_with("curl")
        done = self.fetch(name, env={"PATH": str(self.folder / "tools")})
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        for word in ("data/fetch.sh: ", *words):
            self.assertIn(word, done.stderr)
        self.assert_has(f"data/{name}", {})

    def test_a_file_with_another_checksum_is_not_unpacked(self):
        self.offer_set("mnist")
        altered = gzip.compress(b"altered")
        self.write("source/t10k-labels-idx1-ubyte.gz", altered)  # the last one: the others were right
        self.assert_fails_and_leaves_nothing("mnist", "t10k-labels-idx1-ubyte.gz", hashlib.sha256(altered).hexdigest())

    def test_a_download_that_fails_leaves_nothing(self):
        self.offer_set("cifar10")
        os.remove(self.folder / "source" / "cifar10.tar.gz")
        self.assert_fails_and_leaves_nothing("cifar10", "cannot download", "cifar10.tar.gz")

    def test_an_archive_without_a_file_or_that_is_none_leaves_nothing(self):
        self.offer("cifar100", tar_gz("cifar-100-binary", {"train.bin": b""}), "cifar100.tar.gz")
        self.assert_fails_and_leaves_nothing("cifar100", "test.bin")
        self.offer("cifar10", b"no archive", "cifar10.tar.gz")
        self.assert_fails_and_leaves_nothing("cifar10", "cannot unpack")

    def test_unknown_names_print_the_usage(self):
        for arguments in ([], ["imagenet"], ["--help"], [""], ["mnist", "a", "b"]):
            with self.subTest(arguments):
                done = self.fetch(*arguments)
                self.assertEqual(done.returncode, 2)
                self.assertRegex(done.stderr, r"^usage: data/fetch.sh cifar10\|cifar100\|mnist\|fashion_mnist \[FOLDER\]\n$")
                self.assertEqual(os.listdir(self.folder / "data"), ["fetch.sh"])

    def test_the_sources_list_every_file_of_every_set(self):
        lines = [line.split() for line in SCRIPT.with_name("fetch_sources.txt").read_text().splitlines()[1:]]
        self.assertEqual([len(line) for line in lines], [3] * len(lines))
        for _, checksum, _ in lines:
            self.assertRegex(checksum, "^[0-9a-f]{64}$")
        self.assertEqual(len({checksum for _, checksum, _ in lines}), len(lines))
        names = {set_name: sorted(url.rpartition("/")[2] for name, _, url in lines if name == set_name)
                 for set_name, _, _ in lines}
        idx = sorted(f"{file}.gz" for file in FILES["mnist"])
        self.assertEqual(names, {"cifar10": ["cifar-10-binary.tar.gz"], "cifar100": ["cifar-100-binary.tar.gz"],
                                 "mnist": idx, "fashion_mnist": idx})


if __name__ == "__main__":
    main()
