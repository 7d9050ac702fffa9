# Needed to build the libraries and to link them, from an installed copy too, where `need` is find_dependency.
need(Threads)
need(ZLIB)
need(fmt)
need(nlohmann_json)
need(tomlplusplus)
set(vendor_before "${BLA_VENDOR}")
set(BLA_VENDOR OpenBLAS)
need(BLAS)
set(BLA_VENDOR "${vendor_before}")
need(dnnl)
need(OpenMP COMPONENTS CXX)  # whose threads oneDNN would take: only its library, no pragma of ours
